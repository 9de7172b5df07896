"""``catalog discover``: papers on arXiv that the catalog may lack, ranked by rules that anybody can follow.

The rules are ``catalog/discovery.yaml``. Every candidate says which phrases spoke for it, and a person decides: what
stays in the list of candidates is added with ``catalog add --batch``, what does not belong goes into ``not-relevant``.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.base.project import PACKAGE
from catalog.base.text import fitting, shorten, words
from catalog.base.web import Web
from catalog.intake.duplicates import duplicates
from catalog.intake.sources import Found
from catalog.intake.sources.arxiv import search
from catalog.model.paper import Paper
from catalog.model.registries import ARXIV
from catalog.model.vocabulary import Vocabulary
from catalog.outputs.wording import byline
from catalog.parsing.problems import render
from catalog.parsing.tree import read_tree

RULES = PACKAGE / "discovery.yaml"
"""The rules that come with the package, for a checkout that has none."""

MOST = 100
"""Candidates in a list for the code host, whose issues hold only so much."""

OVERLAP = 21
"""Days before the newest record that are looked at again: arXiv announces late, and people add out of order."""


class RulesError(Exception):
    """The file of rules cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Rules:
    """What is asked for, and what counts."""

    query: str
    points: Mapping[str, int]
    dataset: int
    least: int
    not_relevant: frozenset[str]


@dataclass(frozen=True)
class Candidate:
    """A paper that may belong into the catalog."""

    arxiv: str
    title: str
    authors: tuple[str, ...]
    date: str
    score: int
    reasons: tuple[str, ...]
    """``"unlearning" in the title (+6)``."""
    similar: str = ""
    """The record that it may be."""


def read_rules(path: Path) -> Rules:
    """The rules.

    Raises:
        RulesError: the file is missing or wrong.
    """
    tree, problems = read_tree(path, path.name)
    if tree is None or problems:
        raise RulesError(render(problems))
    try:
        value = tree.value

        def number(given: Any) -> int:
            return int(given if isinstance(given, str) else given.text)

        return Rules(
            query=" ".join(value["query"].split()),
            points={phrase: number(given) for phrase, given in value["points"].items()},
            dataset=number(value["dataset"]),
            least=number(value["least"]),
            not_relevant=frozenset(value.get("not-relevant", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RulesError(f"{path.name} is not as it should be, near {error}: see its comments.") from None


def start_of(papers: Iterable[Paper]) -> datetime.date:
    """The day from which to look: some weeks before the newest record."""
    newest = max((paper.date for paper in papers), default="2024-01")
    return datetime.date.fromisoformat(f"{newest}-01"[:10]) - datetime.timedelta(days=OVERLAP)


def discover(
    web: Web,
    rules: Rules,
    papers: Iterable[Paper],
    datasets: Vocabulary | None,
    since: datetime.date,
    until: datetime.date,
    limit: int = 1000,
) -> list[Candidate]:
    """Candidates of some days, best first; what the catalog holds, or somebody ruled out, is not among them.

    Raises:
        WebError: arXiv cannot be asked.
    """
    known = list(papers)
    ids = {ARXIV.comparable(one) for one in (*(paper.links.arxiv or "" for paper in known), *rules.not_relevant)}
    days = f"submittedDate:[{since:%Y%m%d}0000 TO {until:%Y%m%d}2359]"
    found = []
    for one in search(web, f"({rules.query}) AND {days}", limit):
        paper = one.links["arxiv"]
        if ARXIV.comparable(paper) in ids or one.withdrawn:
            continue
        score, reasons = relevance(one, rules, datasets)
        if score < rules.least:
            continue
        same = duplicates(one.title, one.authors, one.links, known)
        if any(other.certain for other in same):
            continue
        similar = f"{same[0].paper.file} {same[0].reason}" if same else ""
        found.append(Candidate(paper, one.title, one.authors, one.date, score, tuple(reasons), similar))
    return sorted(found, key=lambda one: (-one.score, one.arxiv))


def relevance(found: Found, rules: Rules, datasets: Vocabulary | None = None) -> tuple[int, list[str]]:
    """The points of a paper, and what gave them."""
    score = 0
    reasons: list[str] = []
    texts = (("title", _spaced(found.title), 2), ("abstract", _spaced(found.abstract), 1))

    def count(phrase: str, points: int, key: str) -> None:
        nonlocal score
        for where, text, factor in texts:
            if f" {key} " in text or f" {key}s " in text:
                score += points * factor
                reasons.append(f'"{phrase}" in the {where} ({points * factor:+})')
                return

    for phrase, points in rules.points.items():
        count(phrase, points, " ".join(words(phrase)))
    for term in datasets.terms if datasets else ():
        # Only names that no ordinary word is mistaken for, and only of benchmarks with a page of their own.
        if term.link and sum(letter.isupper() for letter in term.label) >= 3:
            for where, text, factor in (("title", found.title, 2), ("abstract", found.abstract, 1)):
                if f" {term.label} " in f" {' '.join(text.replace(',', ' ').replace('.', ' ').split())} ":
                    score += rules.dataset * factor
                    reasons.append(f'"{term.label}" in the {where} ({rules.dataset * factor:+})')
                    break
    return score, reasons


def _spaced(text: str) -> str:
    return f" {' '.join(words(text))} "


def as_batch(candidates: Iterable[Candidate]) -> str:
    """The candidates as a file for ``catalog add --batch``, to be shortened by a person."""
    lines = [
        "# Candidates, best first. Delete the lines that do not belong here (and note their ids in",
        "# catalog/discovery.yaml, so that they do not come back), then: catalog add --batch THIS-FILE",
    ]
    for one in candidates:
        lines.append(f"{one.arxiv}  # {one.score}: {shorten(one.title, 140)}")
    return "\n".join(lines) + "\n"


def as_markdown(candidates: Iterable[Candidate]) -> str:
    """The candidates as a list for an issue."""
    some = list(candidates)
    lines = ["# Candidates", "", f"{len(some)} papers that the catalog may lack, best first.", ""]
    for one in some[:MOST]:
        title = _plain(one.title)
        authors = _plain(byline(one.authors))
        lines.append(f"- [ ] **{one.score}** [{title}]({ARXIV.address(one.arxiv)}) · {authors} · {one.date}")
        lines.append(f"  <br>{_plain('; '.join(one.reasons[:6]))}")
        if one.similar:
            lines.append(f"  <br>Similar: {_plain(one.similar)}")
    if len(some) > MOST:
        lines += ["", f"... and {len(some) - MOST} more: `catalog discover`"]
    return fitting(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown takes as it is, and that mentions nobody."""
    for sign in "\\`*_[]<>#|@":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text
