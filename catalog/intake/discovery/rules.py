"""``catalog/discovery.yaml``: which words speak for a paper, and what the sources are asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog.base.project import PACKAGE
from catalog.base.text import words
from catalog.model.discovery import SignalEntry, read_discovery
from catalog.model.registries import REGISTRIES, Key, identify
from catalog.parsing.problems import render

TITLE = 2
"""How many times what stands in the title counts."""

RULES = PACKAGE / "discovery.yaml"
"""The rules that come with the package, for a checkout that has none."""


class RulesError(Exception):
    """The file of rules cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Signal:
    """One thing that a paper may speak of, in whichever words."""

    name: str
    """How reasons call it: ``removal``."""
    points: int
    phrases: tuple[str, ...]
    """Words, or several in a row; ``eras*`` is every word that begins so, ``*learn*`` every one that holds it."""
    beside: tuple[str, ...] = ()
    """Where given, one of these has to stand near."""
    within: int = 0
    """Words that may stand between the two."""
    telling: bool = False
    """Of language: whether it alone says that this is about a model of language, whatever else there is."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """For text as :func:`spaced` gives it; the match is what was said, between two spaces."""
        phrase = _any_of(self.phrases)
        if not self.beside:
            return re.compile(f"(?<= ){phrase}(?= )")
        gap, other = rf"(?: [^ ]+){{0,{self.within}}} ", _any_of(self.beside)
        return re.compile(f"(?<= )(?:{phrase}{gap}{other}|{other}{gap}{phrase})(?= )")

    def cut(self, text: str) -> str:
        """A text as :func:`spaced` gives it, with what was said of this taken out."""
        return self.pattern.sub("…", text)


@dataclass(frozen=True)
class Rules:
    """What is asked for, and what counts."""

    forgetting: tuple[Signal, ...]
    """What a paper of ours speaks of."""
    language: tuple[Signal, ...]
    elsewhere: tuple[Signal, ...]
    """Models without language, and other senses of the words; nothing where the title tells of a model with it."""
    dataset: int
    """Points of a data set that a record introduces; they count as forgetting."""
    speaks: int
    """Who has less for forgetting is none of ours, whatever the sum."""
    most: int
    """What forgetting counts at most, however much is said of it."""
    least: int
    """Who has less is not shown."""
    likely: int
    """Who has less stands among those that are worth a second look only."""
    passing: int
    """Words of a text from which on a thing that is said once is said in passing, and counts half."""
    silent: int
    """Points of a text of more words that says nothing of language; a title alone may leave that to its abstract."""
    phrases: tuple[str, ...]
    """What sources are asked for that search in ways of their own."""
    volumes: tuple[str, ...]
    """Of the ACL Anthology, without their year: ``acl-long``."""
    not_relevant: frozenset[tuple[Key, str]]

    def ruled_out(self, links: Mapping[str, str]) -> bool:
        """Whether somebody looked at the paper with such ids, and found that it does not belong."""
        return any(
            (key, registry.comparable(links[key])) in self.not_relevant
            for key, registry in REGISTRIES.items()
            if links.get(key)
        )

    @property
    def arxiv_queries(self) -> tuple[str, ...]:
        """What arXiv is asked, in its own language: for each way to speak of forgetting, where and beside what.

        Words that say it alone are looked for in abstracts of papers about models of language, and in titles about
        anything; pairs of words, which stand in many abstracts, in titles only.
        """
        language = _either("all", [phrase for signal in self.language if signal.telling for phrase in signal.phrases])
        enough = [signal for signal in self.forgetting if not signal.beside and signal.points * TITLE >= self.speaks]
        alone = [phrase for signal in enough for phrase in signal.phrases]
        queries = [_either("ti", alone), f"{_either('abs', alone)} AND {language}"]
        queries += [
            f"{_either('ti', signal.phrases)} AND {_either('ti', signal.beside)} AND {language}"
            for signal in self.forgetting
            if signal.beside
        ]
        return tuple(queries)

    def may_forget(self, text: str) -> bool:
        """Whether any text, such as an entry of BibTeX, speaks of forgetting at all: a quick look before reading it."""
        read = spaced(text)
        return any(signal.pattern.search(read) for signal in self.forgetting)


def spaced(text: str) -> str:
    """A text as patterns read it: folded words, each between two spaces."""
    return f" {' '.join(words(text))} "


def read_rules(path: Path) -> Rules:
    """The rules.

    Raises:
        RulesError: the file is missing or wrong.
    """
    file, problems = read_discovery(path, path.name)
    if file is None:
        raise RulesError(render(problems))
    return Rules(
        forgetting=tuple(map(_signal, file.forgetting)),
        language=tuple(map(_signal, file.language)),
        elsewhere=tuple(map(_signal, file.elsewhere)),
        dataset=file.dataset,
        speaks=file.speaks,
        most=file.most,
        least=file.least,
        likely=file.likely,
        passing=file.passing,
        silent=file.silent,
        phrases=file.phrases,
        volumes=file.volumes,
        not_relevant=frozenset(named for entry in file.not_relevant for named in _references(entry)),
    )


def _signal(entry: SignalEntry) -> Signal:
    return Signal(entry.name, entry.points, entry.phrases, entry.beside, entry.within, entry.telling)


def _references(text: str) -> Iterator[tuple[Key, str]]:
    if named := identify(text):
        key, ident = named
        yield key, REGISTRIES[key].comparable(ident)


def _any_of(phrases: Iterable[str]) -> str:
    """A pattern for any of some phrases, of which a plural's s is no part."""
    written = (phrase if phrase.endswith("*") else f"{phrase}s?" for phrase in sorted(phrases, key=len, reverse=True))
    return f"(?:{'|'.join(written)})".replace("*", "[^ ]*")


def _either(field: str, phrases: Iterable[str]) -> str:
    """``(abs:unlearn* OR abs:"forget set")``; empty where there is no phrase. No word may begin with a wildcard."""
    written = [
        form
        for phrase in phrases
        for form in ([phrase.lstrip("*")] if phrase.endswith("*") else [phrase, f"{phrase}s"])
    ]
    asked = (f'{field}:"{form}"' if " " in form else f"{field}:{form}" for form in written)
    return f"({' OR '.join(asked)})" if written else ""
