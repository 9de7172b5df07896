"""What ``catalog/discovery.yaml`` may hold; what follows from it is in :mod:`catalog.intake.discovery.rules`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from catalog.model.paper import Model, Text
from catalog.model.registries import identify
from catalog.parsing.problems import Problem
from catalog.parsing.tree import read_tree
from catalog.parsing.validation import validate

FILE = "catalog/discovery.yaml"


def _phrase(text: str) -> str:
    if not re.fullmatch(r"\*?[a-z0-9]+(?: [a-z0-9]+)*\*?", text):
        raise ValueError(
            f"bad-value: {text!r} is not in small letters and digits with a * at most at either end; write it so"
        )
    if " " in text and "*" in text:
        raise ValueError(f"bad-value: {text!r} has a * beside several words, where arXiv knows none; leave one out")
    return text


def _volume(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError(
            f"bad-value: {text!r} is no volume of the ACL Anthology; write it without its year, as acl-long"
        )
    return text


def _reference(text: str) -> str:
    if identify(text) is None:
        raise ValueError(f'bad-id: {text!r} names no paper; write its arXiv id or DOI, as in "2404.05868"')
    return text


Phrase = Annotated[str, AfterValidator(_phrase)]
Points = Annotated[int, Field(ge=-1000, le=1000)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1)]


class SignalEntry(Model):
    """One thing that a paper may speak of, in whichever words."""

    name: Text
    """How reasons call it: ``removal``."""
    points: Points
    phrases: Phrases
    """Words, or several in a row; ``eras*`` is every word that begins so, ``*learn*`` every one that holds it."""
    beside: tuple[Phrase, ...] = ()
    """Where given, one of these has to stand near."""
    within: Annotated[int, Field(ge=0, le=100)] = 0
    """Words that may stand between the two."""
    telling: bool = False
    """Of language: whether it alone says that this is about a model of language, whatever else there is."""


Signals = Annotated[tuple[SignalEntry, ...], Field(min_length=1)]


class DiscoveryFile(Model):
    """What is asked for, and what counts."""

    forgetting: Signals
    """What a paper of ours speaks of."""
    language: Signals
    elsewhere: tuple[SignalEntry, ...]
    """Models without language, and other senses of the words; nothing where the title tells of a model with it."""
    dataset: Points
    """Points of a data set that a record introduces; they count as forgetting."""
    speaks: Points
    """Who has less for forgetting is none of ours, whatever the sum."""
    most: Points
    """What forgetting counts at most, however much is said of it."""
    least: Points
    """Who has less is not shown."""
    likely: Points
    """Who has less stands among those that are worth a second look only."""
    passing: Count
    """Words of a text from which on a thing that is said once is said in passing, and counts half."""
    silent: Points
    """Points of a text of more words that says nothing of language; a title alone may leave that to its abstract."""
    phrases: tuple[Text, ...]
    """What sources are asked for that search in ways of their own."""
    volumes: tuple[Annotated[str, AfterValidator(_volume)], ...]
    """Of the ACL Anthology, without their year: ``acl-long``."""
    not_relevant: Annotated[tuple[Annotated[str, AfterValidator(_reference)], ...], Field(alias="not-relevant")] = ()
    """Ids of papers that somebody looked at, and that do not belong."""


F = TypeVar("F", bound=DiscoveryFile)


def read_discovery(path: Path, file: str, form: type[F]) -> tuple[F | None, list[Problem]]:
    """The file, or None with everything that is wrong in it.

    Args:
        path: the file.
        file: how problems name it.
        form: what is made of it.
    """
    tree, problems = read_tree(path, file)
    if tree is None:
        return None, problems
    if not isinstance(tree.value, dict):
        message, hint = "these rules are keys with values", "Start from the file of the repository."
        return None, [*problems, Problem(file, 1, 1, "wrong-type", "error", message, hint)]
    read, wrong = validate(form, tree.with_numbers(), (), "the file")
    return (None if wrong or problems else read), [*problems, *wrong]
