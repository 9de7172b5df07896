"""What authors write beside a paper: where it was accepted, and whether they have withdrawn it.

Such words are not facts. A conference's name may stand in a comment because the paper was submitted there, uses its
template, took part in its challenge or extends a workshop's paper; "withdraw" and "retracted" are subject matter in
this field. So a venue counts only where words of acceptance govern it, and a withdrawal only where the notice is about
this paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from catalog.intake.sources.venues import Mention, Venue, mentions, track_of

_ACCEPTED = re.compile(
    r"\baccept(?!able|ance rate|ability)|\bpublish|\bto appear\b|\bappear(?:s|ed|ing)? (?:in|at)\b|\bproceedings\b"
    r"|\bcamera[- ]?ready\b|\bpresented\b|\bconference (?:paper|version)\b|\bin press\b|\boral\b|\bposter\b"
    r"|\bspotlight\b|\bfindings\b|\bforthcoming\b|\bhighlight(?:ed)? paper\b",
    re.IGNORECASE,
)
_PENDING = re.compile(
    r"\bsubmi(?:t|ssion)|\breview(?!ed\b)(?!er)|\brolling review\b|\bARR\b|\breject|\bnot accepted\b|\bwithdr[ae]w"
    r"|\bpreprint\b|\btarget(?:ed|ing)?\b|\bformat(?:ted)?\b|\btemplate\b|\bstyle\b|\bchallenge\b|\bcompetition\b"
    r"|\bin preparation\b|\bpending\b|\bdeadline\b|\bdecision\b|\bCoRR\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:extend(?:s|ed|ing)?|extension|expand(?:s|ed|ing)?|earlier|previous(?:ly)?|preliminary|prior|short(?:er)?"
    r"|workshop|journal|conference) (?:and \w+ )?(?:version|form|draft|edition)s?\b(?! of this (?:paper|work))"
    r"|\b(?:extend(?:s|ed|ing)|extension of|follow[- ]?up (?:of|to)|builds? (?:up)?on|based on|supersedes?"
    r"|continuation of|compare[ds]? (?:with|to)|version of the|code of|from) (?:our|the|their|an?)\b",
    re.IGNORECASE,
)
"""Begins what is about another paper, or another version of this one."""
_BARE = re.compile(
    r"(?:\b(?:in|at|the|of|on|main|conference|proceedings|paper|track|long|short|regular|full|research|findings"
    r"|workshops?|version|final|oral|spotlight|poster|industry|demo|companion|and|datasets?|benchmarks?|system"
    r"|(?:shared )?task \d+)\b|20\d\d|\d{1,2}(?:st|nd|rd|th)\b|\b\d\d\b|[\s()\[\]'’:&@.-])*"
    r"(?:\bworkshop (?:on|for) [A-Z].*)?",
    re.IGNORECASE,
)
"""What may stand beside a venue's name that stands alone: ``EMNLP 2024 Findings``."""
_BREAK = re.compile(r"[.!?](?=\s|$)|[;|\n]|,|[()\[\]]|\s[-–—]+\s|:\s")

_PAPER = r"(?:paper|article|manuscript|submission|preprint|work|version|report|study|document|note)"
_TAKEN = r"(?:withdrawn|retracted)"
_WHY = (
    r"(?=\s*(?:$|[.,;:()!-]|(?:by|due|because|for|as|since|pending|after|and|until|temporarily)\b"
    r"|in (?:favou?r|order|light)\b))"
)
"""What follows a notice; "withdrawn from ICLR" is about a submission, "withdrawn records" about a subject."""
_NOTICES = (
    # This paper has been withdrawn by the authors.
    rf"\b(?:this|the|our|present|current)(?: \w+)? {_PAPER} (?:has|have|is|was|were|had) (?:\w+ )?(?:been )?(?:\w+ )?"
    rf"{_TAKEN}{_WHY}",
    # We withdraw this paper. The authors have withdrawn the manuscript.
    rf"\b(?:we|authors?|arxiv(?: admin\w*)?)(?: (?:have|has|had|hereby|wish to|would like to|decided to|are|\w+ly))* "
    rf"(?:withdraw(?:ing|n|s)?|withdrew|retract(?:ing|ed|s)?) (?:this|the|our)(?: \w+)? {_PAPER}\b(?!s)",
    # Paper withdrawn due to an error.
    rf"(?:^|[.;:(]\s*){_PAPER} (?:has been |is |was )?{_TAKEN}{_WHY}",
    # Withdrawn by arXiv administrators. WITHDRAWN.
    rf"(?:^|[.;:(\[]\s*)(?:temporarily |voluntarily )?{_TAKEN}{_WHY}",
    # Withdrawal of this paper is requested.
    rf"\b(?:withdrawal|retraction) of (?:this|the) {_PAPER}\b",
)
_NOTICE = re.compile("|".join(f"(?:{notice})" for notice in _NOTICES), re.IGNORECASE)
_ABSTRACT_NOTICE = re.compile(rf"\s*(?:{'|'.join(_NOTICES)})", re.IGNORECASE)
_SHOWN = 120
"""Signs of a notice that are kept."""


@dataclass
class _Clause:
    """A part of a comment about one venue, with what stands beside it."""

    mention: Mention | None
    core: str
    """The words around the name itself."""
    beside: list[str] = field(default_factory=list)
    """Words up to the next venue: pages, tracks, what kind of talk."""


def venue_in_comment(comment: str) -> Venue | None:
    """Where a comment says that this paper was accepted.

    >>> venue_in_comment("20 pages. Accepted to ICLR 2025, an extended version of our NeurIPS 2024 workshop paper")
    Venue(name='ICLR', year=2025, track='')
    >>> venue_in_comment("ICLR 2025 submission") is None
    True
    """
    text = " ".join(comment.split())
    for number, clause in enumerate(_clauses(text)):
        if clause.mention and _accepted(clause, first=number == 0, text=text):
            beside = " , ".join([clause.core, *clause.beside])
            year = clause.mention.year or _year(clause.core) or _year(beside) or _year(text)
            if year is not None and 2000 <= year <= 2100:
                return Venue(clause.mention.name, year, track_of(clause.mention.name, beside))
    return None


def withdrawal(comment: str, abstract: str = "") -> str:
    """The notice with which this paper was taken back, or ``""``; what the paper is about does not count.

    Args:
        comment: what the authors, or arXiv, wrote beside the paper.
        abstract: in its place arXiv's older notices stand, at its very beginning.
    """
    for match in (_NOTICE.search(comment), _ABSTRACT_NOTICE.match(abstract)):
        if match:
            notice = match.string[match.start() : match.start() + _SHOWN]
            return " ".join(re.sub(r"^[.;:(\[\s]+", "", notice).split())
    return ""


def _clauses(text: str) -> Iterator[_Clause]:
    """The comment cut at its signs; what names no venue goes with the venue before it, or with the first."""
    current = _Clause(None, "")
    for part in _parts(text):
        venues = mentions(part)
        if not venues:
            current.beside.append(part)
        elif current.mention is None:
            current = _Clause(venues[0], part, current.beside)
        else:
            yield current
            current = _Clause(venues[0], part)
    yield current


def _parts(text: str) -> Iterator[str]:
    """Between signs; what is about another paper is left out, up to the end of its sentence."""
    for sentence in re.split(r"(?<=[.;!?|])\s+", text):
        aside = _OTHER.search(sentence)
        own = sentence[: aside.start()] if aside else sentence
        for part in _BREAK.split(own):
            if part.strip():
                yield part.strip()


def _accepted(clause: _Clause, *, first: bool, text: str) -> bool:
    if _PENDING.search(clause.core):
        # "Accepted to ICLR after review" says both; "submission accepted" is rare enough to be asked about.
        return bool(re.search(r"\baccepted\b", clause.core, re.IGNORECASE)) and not re.search(
            r"\b(?:not accepted|submitted|reject)", clause.core, re.IGNORECASE
        )
    if _ACCEPTED.search(clause.core):
        return True
    beside = " , ".join(clause.beside)
    if _PENDING.search(beside):
        return False
    if _ACCEPTED.search(beside):
        return True
    assert clause.mention is not None
    rest = clause.core[: clause.mention.start] + " " + clause.core[clause.mention.end :]
    return first and text.startswith(clause.core[:1]) and text.find(clause.core) <= 2 and bool(_BARE.fullmatch(rest))


def _year(text: str) -> int | None:
    match = re.search(r"(?<!\d)(20\d\d)(?!\d)", text)
    return int(match[1]) if match else None
