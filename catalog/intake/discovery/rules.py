"""``catalog/discovery.yaml``: which words speak for a paper, and what the sources are asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field

from catalog.base.project import PACKAGE
from catalog.base.text import words
from catalog.model.discovery import DiscoveryFile, SignalEntry, read_discovery
from catalog.model.registries import REGISTRIES, Key, identify
from catalog.parsing.problems import render

TITLE = 2
"""How many times what stands in the title counts."""

RULES = PACKAGE / "discovery.yaml"
"""The rules that come with the package, for a checkout that has none."""


class RulesError(Exception):
    """The file of rules cannot be used; the message says where and why."""


class Signal(SignalEntry):
    """A signal with what finds it in a text."""

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


class Rules(DiscoveryFile):
    """The file with what follows from it."""

    forgetting: Annotated[tuple[Signal, ...], Field(min_length=1)]
    language: Annotated[tuple[Signal, ...], Field(min_length=1)]
    elsewhere: tuple[Signal, ...]

    @cached_property
    def _set_aside(self) -> frozenset[tuple[Key, str]]:
        named = [named for entry in self.not_relevant if (named := identify(entry))]
        return frozenset((key, REGISTRIES[key].comparable(ident)) for key, ident in named)

    def ruled_out(self, links: Mapping[str, str]) -> bool:
        """Whether somebody looked at the paper with such ids, and found that it does not belong."""
        return any(
            (key, registry.comparable(links[key])) in self._set_aside
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
    rules, problems = read_discovery(path, path.name, Rules)
    if rules is None:
        raise RulesError(render(problems))
    return rules


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
