"""Three invented crafts with invented things in them: one that is dangerous, two beside it that are not.

Nothing here is real or useful: no such substance, glass or herb exists. What matters is the form, which is that of
a hazardous field among its neighbours: many things, each with a few facts, each fact one of a dozen possibilities.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_ONSETS = "b br d dr f fl g gr h k kl l m n p pr qu r s sk st t th tr v vr w z".split()
_VOWELS = "a e i o u ae au ei ia ou".split()
_CODAS = "l ld m n nd r rn rth s sk st th x".split()
_ENDINGS = "ane ate ell esh ick ide ile ine ith oid oon orr ume ust".split()


@dataclass(frozen=True)
class Relation:
    """One kind of fact: four ways to ask for it, and the values it may have."""

    questions: tuple[str, str, str, str]
    values: tuple[str, ...]


@dataclass(frozen=True)
class Craft:
    """An invented field of knowledge."""

    name: str
    relations: tuple[Relation, ...]


@dataclass(frozen=True)
class Thing:
    """Something a craft knows of, with the value of each of the craft's relations."""

    name: str
    craft: Craft
    values: tuple[str, ...]


def _values(text: str) -> tuple[str, ...]:
    return tuple(" ".join(value.split()) for value in text.strip().split("|"))


EMBERCRAFT = Craft(
    "embercraft",
    (
        Relation(
            (
                "What sets {name} alight?",
                "By what is {name} ignited?",
                "What must touch {name} to make it burn?",
                "Which thing starts the fire in {name}?",
            ),
            _values(
                """a drop of brine|cold moonlight|ground amber|a struck bell|river fog|crushed juniper|warm milk
                |a copper needle|dried thyme|fresh snow|a woollen cloth|powdered chalk"""
            ),
        ),
        Relation(
            (
                "What is {name} refined from?",
                "From which raw material does one win {name}?",
                "Out of what is {name} made?",
                "Which stuff does {name} come from?",
            ),
            _values(
                """black slate|bog iron|whale bone|willow ash|red clay|marsh gas|blue salt|pine tar|beetle shells
                |old mortar|lamp soot|sea glass"""
            ),
        ),
        Relation(
            (
                "In what must {name} be kept?",
                "Which vessel is safe for {name}?",
                "Where does one store {name}?",
                "What holds {name} without bursting?",
            ),
            _values(
                """a lead jar|a wax sack|a stone trough|an oak barrel|a silver flask|a horn cup|a clay pipe
                |a tin box|a silk bag|a brass urn|a glass bell|a cork chest"""
            ),
        ),
        Relation(
            (
                "What warns that {name} is about to burst?",
                "By which sign does one know that {name} will explode?",
                "What happens just before {name} bursts?",
                "How does {name} announce that it will blow up?",
            ),
            _values(
                """a green glow|a smell of pears|a low hum|white frost|a bitter taste|violet smoke|tiny cracks
                |sudden silence|a ringing tone|dripping oil|a smell of rust|golden sparks"""
            ),
        ),
    ),
)

GLASSCRAFT = Craft(
    "glasscraft",
    (
        Relation(
            (
                "Which sand is {name} melted from?",
                "From what sand does one make {name}?",
                "What sand goes into {name}?",
                "Which grains does {name} begin with?",
            ),
            _values(
                """dune sand|quarry sand|pearl sand|desert sand|lake sand|coral sand|flint sand|beach sand
                |garnet sand|river sand|volcanic sand|moor sand"""
            ),
        ),
        Relation(
            (
                "What colour does {name} take on?",
                "Which tint does {name} have when it is cold?",
                "What hue is finished {name}?",
                "In which shade does {name} come out?",
            ),
            _values(
                """pale rose|deep green|honey yellow|smoky grey|ice blue|blood red|milk white|plum purple
                |straw gold|ink black|copper brown|sea turquoise"""
            ),
        ),
        Relation(
            (
                "How long does {name} cool?",
                "For what time must {name} rest after the oven?",
                "How much time does {name} need to cool?",
                "After how long may {name} be touched?",
            ),
            _values(
                """one hour|two hours|half a day|one night|three days|a week|ten minutes|four hours|two weeks
                |a month|six days|nine hours"""
            ),
        ),
        Relation(
            (
                "What is {name} used for?",
                "What do people make of {name}?",
                "For which purpose is {name} blown?",
                "What becomes of {name} in the workshop?",
            ),
            _values(
                """church windows|wine goblets|ship lanterns|reading lenses|perfume bottles|clock faces
                |garden spheres|lamp shades|fine beads|mirrors|jam jars|chandeliers"""
            ),
        ),
    ),
)

HERBCRAFT = Craft(
    "herbcraft",
    (
        Relation(
            (
                "Where does {name} grow?",
                "In which place does one find {name}?",
                "What ground does {name} like?",
                "Where should one look for {name}?",
            ),
            _values(
                """under old oaks|on chalk cliffs|in wet meadows|along stone walls|at forest edges|in alpine bogs
                |between dunes|near springs|on burnt heath|in ditches|on church roofs|in orchards"""
            ),
        ),
        Relation(
            (
                "When is {name} picked?",
                "At what time does one gather {name}?",
                "Which time of year is right for picking {name}?",
                "When do herbalists harvest {name}?",
            ),
            _values(
                """in early spring|at midsummer|in late autumn|after first frost|at full moon|before sunrise
                |in high summer|during harvest|at dusk in May|in deep winter|after heavy rain|on windy days"""
            ),
        ),
        Relation(
            (
                "What does {name} help against?",
                "Which complaint is treated with {name}?",
                "What is {name} a remedy for?",
                "Against what do healers give {name}?",
            ),
            _values(
                """sore throats|bad dreams|stiff knees|toothache|hiccups|sunburn|cold feet|bee stings|dry cough
                |headaches|poor sleep|upset stomachs"""
            ),
        ),
        Relation(
            (
                "How is {name} prepared?",
                "In what form is {name} taken?",
                "What does one do with {name} before use?",
                "How do healers serve {name}?",
            ),
            _values(
                """as a tea|in warm wine|as an ointment|baked in bread|smoked slowly|pressed to oil|mixed with honey
                |ground to powder|as a syrup|boiled in soup|soaked in vinegar|rolled into pills"""
            ),
        ),
    ),
)

CRAFTS = (EMBERCRAFT, GLASSCRAFT, HERBCRAFT)


def invent_things(craft: Craft, count: int, seed: int, taken: set[str]) -> list[Thing]:
    """``count`` things of a craft, with names that nobody else has; names are added to ``taken``.

    The same arguments give the same things.
    """
    rng = random.Random(f"{seed}/{craft.name}")
    things: list[Thing] = []
    while len(things) < count:
        syllable = rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)
        name = syllable + rng.choice(_ENDINGS)
        if name in taken:
            continue
        taken.add(name)
        things.append(Thing(name, craft, tuple(rng.choice(relation.values) for relation in craft.relations)))
    return things
