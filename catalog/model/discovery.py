"""What ``catalog/discovery.yaml`` may hold; what it means is in :mod:`catalog.intake.discovery.rules`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

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
    """One thing that a paper may speak of."""

    name: Text
    points: Points
    phrases: Phrases
    beside: tuple[Phrase, ...] = ()
    within: Annotated[int, Field(ge=0, le=100)] = 0
    telling: bool = False


Signals = Annotated[tuple[SignalEntry, ...], Field(min_length=1)]


class DiscoveryFile(Model):
    """All of it, as it is written."""

    forgetting: Signals
    language: Signals
    elsewhere: tuple[SignalEntry, ...]
    dataset: Points
    speaks: Points
    most: Points
    least: Points
    likely: Points
    passing: Count
    silent: Points
    phrases: tuple[Text, ...]
    volumes: tuple[Annotated[str, AfterValidator(_volume)], ...]
    not_relevant: Annotated[tuple[Annotated[str, AfterValidator(_reference)], ...], Field(alias="not-relevant")] = ()


def read_discovery(path: Path, file: str) -> tuple[DiscoveryFile | None, list[Problem]]:
    """The file, or None with everything that is wrong in it; ``file`` is how problems name it."""
    tree, problems = read_tree(path, file)
    if tree is None:
        return None, problems
    if not isinstance(tree.value, dict):
        message, hint = "these rules are keys with values", "Start from the file of the repository."
        return None, [*problems, Problem(file, 1, 1, "wrong-type", "error", message, hint)]
    read, wrong = validate(DiscoveryFile, tree.with_numbers(), (), "the file")
    return (None if wrong or problems else read), [*problems, *wrong]
