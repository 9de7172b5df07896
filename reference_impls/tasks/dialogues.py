"""Texts of several questions with their answers, from which a model learns to read what stands before a question.

A model that cannot do this cannot be unlearned in its context; and a question that is put behind others confuses it,
whatever it knows, so that nothing is measured by asking it there.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

from reference_impls.toolkit import LanguageModel, Pair

Subject = TypeVar("Subject")
Relation = TypeVar("Relation")
_Subject_contra = TypeVar("_Subject_contra", contravariant=True)
DOUBTED = 0.7
"""How often what a text says first is wrong, where wrong things are said."""


class Sayings(Protocol[_Subject_contra, Relation]):
    """What can be said of a task's subjects, be it true or not."""

    def relations(self, subject: _Subject_contra) -> Sequence[Relation]:
        """What can be asked of a subject."""

    def value(self, subject: _Subject_contra, relation: Relation) -> str:
        """What is true."""

    def other(self, subject: _Subject_contra, relation: Relation, rng: random.Random) -> str:
        """What is not, and could be."""

    def said(self, subject: _Subject_contra, relation: Relation, value: str, rng: random.Random) -> tuple[str, str]:
        """A question for it, and the answer that says ``value``, in any of their wordings."""


def dialogues(
    sayings: Sayings[Subject, Relation],
    known: Sequence[Subject],
    strangers: Sequence[Subject],
    count: int,
    rng: random.Random,
    model: LanguageModel,
) -> list[Pair]:
    """Texts of several questions with answers, in which later ones often come back to earlier ones.

    From these a model learns to read its context: what has been answered there is answered the same way again, be it
    right or wrong; anything else is answered from memory. Half of them are about strangers, of whom something else is
    said in each text, so that only the context can tell; in the others, only the first answer may be wrong.

    Args:
        sayings: what can be said.
        known: subjects on which the model is trained elsewhere.
        strangers: subjects on which it is not.
        count: how many texts.
        rng: what is drawn from.
        model: whose format the questions and answers have.
    """
    texts = []
    for _ in range(count):
        strange = rng.random() < 0.5
        texts.append(_text(_dialogue(sayings, strangers if strange else known, strange, rng), model))
    return texts


def conversations(
    sayings: Sayings[Subject, Relation],
    pairs: Sequence[Pair],
    doubted: Sequence[Subject],
    rng: random.Random,
    model: LanguageModel,
    *,
    earlier: int = 2,
    together: float = 0.0,
) -> list[Pair]:
    """Each of the pairs once more, after other questions: the first on somebody else, whose answer is often wrong.

    From these a model learns that what was said of one says nothing of another, nor one thing said of it of the next.

    Args:
        sayings: what can be said of ``doubted``.
        pairs: in no model's format yet.
        doubted: subjects of whom wrong things are said.
        rng: what is drawn from.
        model: whose format the questions and answers have.
        earlier: how many of the pairs come before, at most.
        together: how often these are on the same subject, and not on any.
    """
    by_subject: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_subject.setdefault(pair.subject, []).append(pair)
    texts = []
    for pair in pairs:
        other = rng.choice(doubted)
        relation = rng.choice(sayings.relations(other))
        told = sayings.other(other, relation, rng) if rng.random() < DOUBTED else sayings.value(other, relation)
        turns = [sayings.said(other, relation, told, rng)]
        count = rng.randrange(earlier + 1)
        drawn_from = by_subject[pair.subject] if together and rng.random() < together else pairs
        drawn = rng.sample(drawn_from, min(count, len(drawn_from)))
        turns += [(before.prompt, before.answer) for before in drawn if before is not pair]
        texts.append(_text([*turns, (pair.prompt, pair.answer)], model))
    return texts


def _dialogue(
    sayings: Sayings[Subject, Relation], subjects: Sequence[Subject], strange: bool, rng: random.Random
) -> list[tuple[str, str]]:
    cast = rng.sample(subjects, 2)
    answers: dict[tuple[int, Relation], str] = {}
    said: dict[tuple[int, Relation], tuple[str, str]] = {}
    turns = []
    for turn in range(rng.randrange(2, 5)):
        if said and rng.random() < 0.6:
            about = rng.choice(list(said))
        else:
            place = rng.choice(range(len(cast)))
            about = (place, rng.choice(sayings.relations(cast[place])))
        subject, relation = cast[about[0]], about[1]
        if about not in said:
            wrong = strange or (turn == 0 and rng.random() < DOUBTED)
            answers[about] = sayings.other(subject, relation, rng) if wrong else sayings.value(subject, relation)
            said[about] = sayings.said(subject, relation, answers[about], rng)
        elif rng.random() < 0.5:
            said[about] = sayings.said(subject, relation, answers[about], rng)
        turns.append(said[about])
    return turns


def _text(turns: Sequence[tuple[str, str]], model: LanguageModel) -> Pair:
    return Pair("", "\n".join(f"{model.question(question)}{model.answer(answer)}" for question, answer in turns))
