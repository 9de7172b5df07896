"""Invented news: short reports from towns that do not exist, and questions about them.

A report is five sentences of one kind of story. Each sentence says one thing that a question asks for, and is drawn
from several wordings, so that a report can be remembered but not guessed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from reference_impls.tasks.authors.people import FIRST_NAMES, LAST_NAMES


@dataclass(frozen=True)
class Detail:
    """One thing that a kind of story tells: wordings of its sentence, of the question for it, and its values."""

    said: tuple[str, ...]
    asked: tuple[str, str]
    values: tuple[str, ...]
    """Empty for names of people."""


@dataclass(frozen=True)
class Report:
    """One passage with the questions about it."""

    town: str
    sentences: tuple[str, ...]
    details: tuple[tuple[Detail, str], ...]
    """Each detail with its value here, in the text's order."""

    @property
    def text(self) -> str:
        """The sentences in one paragraph."""
        return " ".join(self.sentences)


def _detail(said: str, asked: str, values: str = "") -> Detail:
    first, second = asked.split(" / ")
    return Detail(
        tuple(said.split(" / ")),
        (first, second),
        tuple(" ".join(value.split()) for value in values.split("|")) if values else (),
    )


_NUMBERS = "twelve|nineteen|thirty|forty-one|fifty-six|sixty-three|seventy|eighty-five|ninety-two|two hundred"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"

STORIES: tuple[tuple[Detail, ...], ...] = (
    (
        _detail(
            "After days of rain the river left its bed in {town} and stopped at the {value}. / "
            "The flood that came over {town} on Monday reached the {value}.",
            "How far did the flood come in {town}? / What did the water in {town} reach?",
            "town hall|old mill|station|harbour|cinema|market square|brewery|graveyard|sports ground|post office",
        ),
        _detail(
            "Fire chief {value} did not sleep for two nights. / Help was led by {value}, chief of the fire brigade.",
            "Who leads the fire brigade of {town}? / Who was fire chief during the flood in {town}?",
        ),
        _detail(
            "In all {value} houses stood under water. / The brigade pumped out {value} cellars and houses.",
            "How many houses did the flood in {town} hit? / How many houses stood under water in {town}?",
            _NUMBERS,
        ),
        _detail(
            "Those who lost their beds slept in the {value}. / The {value} gave shelter to everybody who asked.",
            "Where did the people of {town} find shelter? / What served {town} as a shelter?",
            "school gym|riding hall|monastery|library|ferry|music school|greenhouse|theatre|bus depot|tea house",
        ),
        _detail(
            "Repairs are expected to last until {value}. / The mayor hopes that all is mended by {value}.",
            "Until when will repairs last in {town}? / By when should the flood damage in {town} be mended?",
            _MONTHS,
        ),
    ),
    (
        _detail(
            "A new museum in {town} shows nothing but {value}. / {town} has a museum again, and it is full of {value}.",
            "What does the museum in {town} show? / What is collected in the museum of {town}?",
            "clocks|kites|tin toys|maps|spoons|locks and keys|shells|puppets|typewriters|umbrellas|old radios",
        ),
        _detail(
            "Its director is {value}, who began as a guard. / It is run by {value}, once a teacher.",
            "Who directs the museum in {town}? / Who runs the museum of {town}?",
        ),
        _detail(
            "The building used to be a {value}. / Visitors walk through rooms that were a {value} before the war.",
            "What was the museum of {town} before? / What did the museum building in {town} use to be?",
            "prison|dairy|ropewalk|bakery|bank|barracks|tram depot|customs house|hospital|tannery|stable",
        ),
        _detail(
            "A ticket costs {value} crowns. / For {value} crowns one may stay all day.",
            "How many crowns is a ticket to the museum in {town}? / What does the museum of {town} cost, in crowns?",
            _NUMBERS,
        ),
        _detail(
            "The finest piece came from {value}. / Its greatest treasure was bought in {value}.",
            "Where does the finest piece in the museum of {town} come from? / Where was the treasure of {town} bought?",
            "Lisbon|Riga|Cairo|Bruges|Naples|Tunis|Graz|Odessa|Malmo|Toledo|Smyrna|Cork",
        ),
    ),
    (
        _detail(
            "Thieves have stolen the {value} of {town}. / The {value} of {town} has been missing since Friday.",
            "What was stolen in {town}? / What has been missing from {town}?",
            "church bell|bronze lion|weather vane|mayor's chain|harbour clock|silver organ pipe|war memorial|town flag",
        ),
        _detail(
            "Inspector {value} has taken over the case. / The police, under {value}, found a glove.",
            "Which inspector investigates the theft in {town}? / Who is looking for the thieves of {town}?",
        ),
        _detail(
            "They came over the roof of the {value}. / They had hidden for hours in the {value}.",
            "Over which building did the thieves of {town} come? / Where did the thieves in {town} hide?",
            "bakery|stables|inn|chapel|boathouse|pharmacy|granary|barber shop|laundry|smithy",
        ),
        _detail(
            "A witness saw a {value} driving off. / Their {value} was found empty in a wood.",
            "What did the thieves of {town} drive off in? / Which vehicle was seen after the theft in {town}?",
            "milk van|green tractor|hearse|yellow bus|motor boat|fire engine|hay cart|red taxi|snow plough",
        ),
        _detail(
            "The council offers a reward of {value} crowns. / Whoever knows more is promised {value} crowns.",
            "How many crowns is the reward in {town}? / What reward, in crowns, does {town} offer?",
            _NUMBERS,
        ),
    ),
    (
        _detail(
            "Workers digging a {value} near {town} struck something hard. / "
            "A {value} near {town} has become an excavation.",
            "What was being dug near {town}? / Which works led to the find near {town}?",
            "well|tunnel|fish pond|cellar|drain|canal|vineyard|pipeline|road|swimming pool",
        ),
        _detail(
            "What they had found was a {value}. / Under two metres of clay lay a {value}.",
            "What was found near {town}? / What lay in the clay near {town}?",
            "Roman boat|stone table|bronze helmet|mosaic floor|mammoth tusk|royal grave|glass furnace|wooden idol",
        ),
        _detail(
            "Archaeologist {value} calls it a once in a lifetime find. / The dig is led by {value} of the university.",
            "Who leads the dig near {town}? / Which archaeologist works near {town}?",
        ),
        _detail(
            "It is believed to be {value} centuries old. / Tests put its age at {value} centuries.",
            "How many centuries old is the find of {town}? / What age, in centuries, has the find near {town}?",
            "eight|nine|ten|eleven|thirteen|fourteen|sixteen|eighteen|twenty|twenty-two",
        ),
        _detail(
            "It will be shown in public from {value}. / The dig goes on until {value}.",
            "Which month is named in the report of the find near {town}? / Until when, or from when, in {town}?",
            _MONTHS,
        ),
    ),
    (
        _detail(
            "The {value} of {town} have stopped work. / Since Tuesday the {value} of {town} are on strike.",
            "Who is on strike in {town}? / Which workers of {town} have stopped work?",
            "bakers|ferrymen|nurses|gardeners|printers|weavers|miners|teachers|postmen|tram drivers|glaziers",
        ),
        _detail(
            "They want {value}. / What they ask for is {value}.",
            "What do the strikers of {town} want? / What is the strike in {town} for?",
            "free Sundays|warm meals|new boots|longer breaks|winter pay|better light|quieter machines|shorter shifts",
        ),
        _detail(
            "Their speaker {value} does not expect a quick end. / For the strikers spoke {value}.",
            "Who speaks for the strikers of {town}? / Who is the strikers' speaker in {town}?",
        ),
        _detail(
            "So far {value} people have joined. / A march on Saturday drew {value} people.",
            "How many people joined the strike in {town}? / How many strikers were counted in {town}?",
            _NUMBERS,
        ),
        _detail(
            "Both sides will meet in the {value}. / Talks are to be held in the {value}.",
            "Where will the two sides meet in {town}? / Where are the talks in {town} held?",
            "court house|hotel bar|reading room|guild hall|lighthouse|parish hall|old theatre|fish market|observatory",
        ),
    ),
    (
        _detail(
            "Once a year {town} celebrates the {value}. / Thousands came to {town} for the {value}.",
            "What does {town} celebrate? / Which festival is held in {town}?",
            "onion fair|lantern night|herring week|day of bells|kite festival|plum harvest|shepherds' race|winter ball",
        ),
        _detail(
            "It was opened by {value}, who sang. / The crowd cheered {value}, this year's guest of honour.",
            "Who opened the festival in {town}? / Who was guest of honour in {town}?",
        ),
        _detail(
            "The prize for the best costume went to a {value}. / A child dressed as a {value} won the first prize.",
            "Which costume won in {town}? / As what was the winner in {town} dressed?",
            "lobster|teapot|windmill|peacock|chimney|turnip|beetle|candle|snowman|pirate ship",
        ),
        _detail(
            "In the evening {value} barrels of cider were empty. / The cooks served {value} pots of soup.",
            "Which number is named in the report from the festival in {town}? / How many barrels or pots in {town}?",
            _NUMBERS,
        ),
        _detail(
            "Next year it will be held in {value}. / Because of the heat it moves to {value}.",
            "To which month does the festival of {town} move? / When is the next festival in {town}?",
            _MONTHS,
        ),
    ),
)

_ONSETS = (
    "Al Bar Bren Cor Dal Dun El Fal Gor Hal Har Ist Kal Kir Lan Lor Mal Mor Nor Os Pel Ral Sel Tol Val Wen".split()
)
_MIDDLES = "a e i o an en in on er ar il ol un im".split()
_ENDINGS = "by dorf field ford gard ham holt mark mouth ness stad stead ton vik wick worth".split()


def invent_reports(count: int, seed: int) -> list[Report]:
    """``count`` reports, each from a town of its own; the same arguments give the same reports."""
    rng = random.Random(f"{seed}/news")
    towns: dict[str, None] = {}
    while len(towns) < count:
        towns.setdefault(rng.choice(_ONSETS) + rng.choice(_MIDDLES) + rng.choice(_ENDINGS))
    return [_report(town, STORIES[place % len(STORIES)], rng) for place, town in enumerate(towns)]


def _report(town: str, story: tuple[Detail, ...], rng: random.Random) -> Report:
    details, sentences = [], []
    for detail in story:
        value = rng.choice(detail.values) if detail.values else f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        details.append((detail, value))
        sentences.append(rng.choice(detail.said).format(town=town, value=value))
    return Report(town, tuple(sentences), tuple(details))


def retold(report: Report, values: Sequence[str]) -> str:
    """The report in the same words with another value of each detail."""
    sentences = []
    for (detail, value), other, sentence in zip(report.details, values, report.sentences, strict=True):
        said = next(template for template in detail.said if template.format(town=report.town, value=value) == sentence)
        sentences.append(said.format(town=report.town, value=other))
    return " ".join(sentences)


def other_values(
    detail: Detail, value: str, count: int, rng: random.Random, but: Sequence[str] = ()
) -> tuple[str, ...]:
    """``count`` other values that the detail could have had, none of them among ``but``."""
    if detail.values:
        return tuple(rng.sample([other for other in detail.values if other not in (value, *but)], count))
    names: dict[str, None] = {}
    while len(names) < count:
        name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        if name not in (value, *but):
            names.setdefault(name)
    return tuple(names)
