"""The record of one paper: its fields, what each may hold, and nothing about other records.

Rules that need a vocabulary, another record or an implementation live in :mod:`catalog.reading.checks`.
Every model is frozen and refuses unknown keys, so that a typo in a key is found.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from catalog.base.text import unfit
from catalog.model.registries import ACL, ARXIV, DOI, OPENREVIEW, PAPER_ID, REGISTRIES, Key
from catalog.parsing.forms import FreeText
from catalog.parsing.tree import NotText, number_of

Relation = Literal["introduces", "extends", "related", "uses", "evaluates"]
"""How a paper relates to a linked implementation, honestly:

``introduces`` the file implements this paper's own method (or runs its own task);
``extends`` it implements what the paper builds on;
``related`` the nearest running relative, where neither is implemented yet: a method, or a task or attack like it;
``evaluates`` the paper's experiments run it; of an attack, they attack it;
``uses`` the paper tells of it (surveys), or needs it as a tool.
"""

Source = Literal[Key, "web", "hand"]
"""Who says so: a registry, another page, or nobody but us."""

TAG = r"</[A-Za-z][^<>]*>|<[A-Za-z][\w:.-]*(?:\s*/|\s[^<>]*=[^<>]*|/[^<>]*)?>"
"""A tag of HTML or XML as it is really written: "n<d and d>k" holds none."""
MATH = r"\$(?=[^\s$])[^$]*(?<=[^\s$])\$(?!\d)|\$[^$]*[\\_^][^$]*\$"
"""Mathematics of LaTeX between dollars: "$5 and $6" holds none."""
_HTML = re.compile(rf"{TAG}|&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]+);")
_MARKDOWN = re.compile(r"\*\*[^*]+\*\*|`[^`]+`|!?\[[^\]]*\]\([^)]*\)|^#{1,6} |^> ")
_HOST = re.compile(r"(?:[^.\[\]:%/?#@]+\.)+[^.\[\]:%/?#@]+\.?")
"""Names with dots between them; nobody publishes at a bare number of IPv6."""
_PLACE_IN_PAPER = re.compile(
    r"(?:Table|Figure|Section|Appendix) (?:[A-Z]?[0-9]+(?:\.[0-9]+)*[a-z]?|[A-Z](?:\.[0-9]+)*)"
)
_LATEX = re.compile(rf"\\[A-Za-z]+|\\['\"`^~=.]|{MATH}|\{{[^}}]*\}}")


def visible(value: str) -> str:
    """Text whose every sign can be seen.

    Raises:
        ValueError: which cannot.
    """
    if sign := unfit(value):
        raise ValueError(f"invisible-character: holds {sign}; delete it")
    return value


def plain_text(value: str) -> str:
    """Text that means itself: no markup of any output format, no invisible characters, single spaces.

    Raises:
        ValueError: what was found, and what to write instead.
    """
    visible(value)
    if match := _HTML.search(value):
        raise ValueError(f"html-in-text: holds HTML ({match[0]!r}); write plain text")
    if match := _MARKDOWN.search(value):
        raise ValueError(f"markdown-in-text: holds Markdown ({match[0]!r}); write plain text")
    if match := _LATEX.search(value):
        raise ValueError(f"latex-in-text: holds LaTeX ({match[0]!r}); write Unicode, as in 'é', 'β' or 'L²'")
    if value != " ".join(value.split()):
        raise ValueError("spacing: has leading, trailing, repeated or line-breaking spaces; use single spaces")
    return value


def web_address(value: str) -> str:
    """An address that a browser can open.

    Raises:
        ValueError: why it cannot.
    """
    visible(value)
    no_address = "bad-link: not an address a browser can open; copy it from the address bar"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets that hold no address, a port that is none
        raise ValueError(no_address) from None
    if parts.scheme not in ("http", "https"):
        scheme = parts.scheme or "nothing"
        raise ValueError(f"bad-link: links start with https://, this one with {scheme!r}; copy it from the address bar")
    if not host or not _HOST.fullmatch(host) or re.search(r"[\s<>\"'`\\^{}|]", value):
        raise ValueError(no_address)
    if parts.username or parts.password:
        raise ValueError("bad-link: holds a user name or password; remove it")
    return value


def _calendar(value: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", value):
        raise ValueError("bad-date: write YYYY-MM or YYYY-MM-DD, as in 2024-04")
    try:
        datetime.date.fromisoformat(value if len(value) == 10 else f"{value}-01")
    except ValueError:
        raise ValueError(f"bad-date: there is no {value} in the calendar; correct the month or the day") from None
    return value


def _year(value: Any) -> int:
    """A bare ``2025``, which the reader hands on as it is written."""
    text = value.text if isinstance(value, NotText) else str(value)
    if isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{3}", text):
        raise ValueError("bad-year: not a year in four digits; write it without quotes, as in 2025")
    return int(text)


def _number(value: Any) -> float:
    """A bare ``0.45``, which the reader hands on as it is written."""
    if isinstance(value, str | bool) or not isinstance(value, NotText | int | float):
        raise ValueError("bad-number: not a number to YAML; write it without quotes, as in 0.45, and 1e-9 as 1.0e-9")
    if isinstance(value, NotText):
        if (number := number_of(value.text)) is None:
            raise ValueError("bad-number: not a finite number in digits; write it without signs, as in 0.45")
        return float(number)
    if not math.isfinite(value):
        raise ValueError("bad-number: not a finite number; leave out what diverged")
    return float(value)


def _place_in_paper(value: str) -> str:
    if not _PLACE_IN_PAPER.fullmatch(value):
        raise ValueError("bad-source: not a place in the paper; write it as in Table 2, Table A3 or Section 5.1")
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=400), AfterValidator(plain_text), FreeText()]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=600), AfterValidator(plain_text), FreeText()]
Name = Annotated[str, StringConstraints(min_length=2, max_length=120), AfterValidator(plain_text), FreeText()]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Known = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(visible)]
"""The id of something that must exist; :mod:`catalog.reading.checks` looks it up, and suggests the nearest one."""
Url = Annotated[str, StringConstraints(max_length=500), AfterValidator(web_address)]
Day = Annotated[str, AfterValidator(_calendar)]
WholeDay = Annotated[str, AfterValidator(_calendar), StringConstraints(min_length=10)]
Year = Annotated[int, BeforeValidator(_year)]
Number = Annotated[float, BeforeValidator(_number)]
PlaceInPaper = Annotated[str, StringConstraints(max_length=40), AfterValidator(_place_in_paper)]
ArxivId = Annotated[str, StringConstraints(pattern=f"^{ARXIV.pattern}$"), ARXIV]
AclId = Annotated[str, StringConstraints(pattern=f"^{ACL.pattern}$", max_length=ACL.longest), ACL]
OpenReviewId = Annotated[
    str, StringConstraints(pattern=f"^{OPENREVIEW.pattern}$", max_length=OPENREVIEW.longest), OPENREVIEW
]
Doi = Annotated[
    str, StringConstraints(pattern=f"^{DOI.pattern}$", max_length=DOI.longest), AfterValidator(visible), DOI
]


class Model(BaseModel):
    """Frozen, strict about keys and types: YAML's ``no``, ``1.10`` and dates never slip in as text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Links(Model):
    """Where the paper and its artefacts are. Ids, not addresses, where a registry gives ids."""

    arxiv: ArxivId | None = None
    """arXiv id without version, as in ``2404.05868``."""
    acl: AclId | None = None
    """ACL Anthology id, as in ``2023.acl-long.740``."""
    openreview: OpenReviewId | None = None
    """OpenReview forum id."""
    doi: Doi | None = None
    """DOI without resolver, as in ``10.1038/s42256-025-00985-0``."""
    url: Url | None = None
    """The paper's own page, where none of the ids above leads to it."""
    code: Url | None = None
    project: Url | None = None
    data: Url | None = None

    @property
    def ids(self) -> dict[str, str]:
        """The ids that registries give, by the registry's key."""
        return {key: ident for key in REGISTRIES if (ident := getattr(self, key))}

    @property
    def by_key(self) -> dict[str, str]:
        """The address of every link by its key, the paper's text first."""
        pages = {key: REGISTRIES[key].address(ident) for key, ident in self.ids.items()}
        return pages | {key: address for key in _PAGES if (address := getattr(self, key))}

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """(kind, address) of every link, the paper's text first."""
        return tuple((_KINDS[key], address) for key, address in self.by_key.items())

    @property
    def pdf(self) -> str | None:
        """The paper's text as PDF, where a registry has it under its id."""
        texts = (REGISTRIES[key].pdf.format(ident) for key, ident in self.ids.items() if REGISTRIES[key].pdf)
        return next(texts, None)


_PAGES = {"url": "Web page", "code": "Code", "project": "Project", "data": "Data"}
_KINDS = {key: registry.name for key, registry in REGISTRIES.items()} | _PAGES
"""What links are called, by their keys."""


class Venue(Model):
    """Where the paper was published: a term, a year, and the track unless it is the main one."""

    id: Known
    year: Year
    track: Known | None = None
    """Findings, an industry track or a workshop, say; a term of its own vocabulary."""


class Edition(Model):
    """A venue in one year, its workshops apart: what people mean by a paper of ICLR 2025.

    :func:`catalog.model.venues.edition` makes it from the vocabularies.
    """

    venue: str
    """The term's id."""
    year: int
    part: str
    """What it is beside the main program: ``workshops``, or a track's id; ``""`` for that itself."""
    label: str
    """As people write it: ``ICLR 2025``, ``ICLR 2025 workshops``, ``Findings of ACL 2025``."""

    @property
    def id(self) -> str:
        """In addresses: ``iclr-2025``, ``iclr-2025-workshops``, ``acl-2025-findings``."""
        return "-".join(filter(None, (self.venue, str(self.year), self.part)))


class Appearance(Model):
    """A venue in words; :func:`catalog.model.venues.appearance` makes it from the vocabularies."""

    label: str
    """As people write it: ``Findings of ACL 2025``."""
    kind: Literal["conference", "journal", "web"]
    container: str
    """The name of the proceedings, journal or site, as citations want it."""
    year: int


class ProposedMethod(Model):
    """The method that the paper proposes."""

    name: Name | None = None
    """What people call it; absent where it has no name."""
    mechanism: Prose | None = None
    """What it does to the model, in at most 25 words."""
    builds_on: tuple[Slug, ...] = ()
    """What it rests on: ids of methods, records or techniques; lineage comes from here alone."""


class Reported(Model):
    """A headline number that a paper states of its own method, as it is printed."""

    benchmark: Known
    """What it was measured on: ``tofu-forget10``."""
    metric: Known
    """What was measured: ``forget-quality``."""
    model: Name
    """The model that unlearned, as the paper calls it: ``Llama-2-7B-chat``."""
    value: Number
    """In the metric's unit."""
    source: PlaceInPaper
    """Where in the paper it stands: ``Table 2``."""
    note: Text | None = None
    """What has to be known to read it, such as how the paper prints it."""


class ImplementationLink(Model):
    """A link to something that runs here, and how the paper relates to it."""

    id: Known
    relation: Relation


class State(Model):
    """A paper that is no longer what it was; absent while all is well."""

    kind: Literal["revised", "superseded", "withdrawn", "retracted"]
    date: Day | None = None
    note: Prose | None = None
    by: Known | None = None
    """The id of the record that supersedes this one."""


class Provenance(Model):
    """Where the facts of the record come from, and when somebody last looked."""

    source: Source
    checked: WholeDay
    compared: WholeDay | None = None
    """The day on which ``catalog update`` last held the record against all sources that it names."""


class Record(Model):
    """What a file of ``papers/`` holds."""

    title: Text
    former_titles: tuple[Text, ...] = ()
    authors: Annotated[tuple[Name, ...], Field(min_length=1, max_length=300)]
    date: Day
    """First public version, YYYY-MM or YYYY-MM-DD."""
    venue: Venue | None = None
    """Where it was published, as in ``{id: colm, year: 2024}``; absent while it is a preprint."""
    type: Known
    also: tuple[Known, ...] = ()
    """Further contributions, of the same vocabulary as ``type``."""
    family: tuple[Known, ...] = ()
    targets: tuple[Known, ...] = ()
    settings: tuple[Known, ...] = ()
    modalities: tuple[Known, ...] = ("text",)
    datasets: tuple[Known, ...] = ()
    links: Links
    summary: Prose | None = None
    method: ProposedMethod | None = None
    reported: tuple[Reported, ...] = ()
    """Headline numbers that the paper states of its own method, where a page shows them."""
    implementations: tuple[ImplementationLink, ...] = ()
    state: State | None = None
    added: Annotated[WholeDay | None, Field(exclude=True)] = None
    """The day on which the record came into the catalog, for feeds of what is new; no export tells it."""
    provenance: Provenance


class Paper(Record):
    """A record together with its id (the file's stem) and its place in the repository."""

    id: Annotated[str, StringConstraints(pattern=PAPER_ID)]
    file: str
    """Path of the record, relative to the project's root, with forward slashes."""
    appeared: Appearance | None = None
    """``venue`` in words; filled in when the catalog is loaded, never in the file."""
    edition: Annotated[Edition | None, Field(exclude=True)] = None
    """Of the venue; filled in likewise, and told by no export: it follows from ``venue``."""

    @property
    def year(self) -> int:
        """The year of the first public version."""
        return int(self.date[:4])

    @property
    def contributions(self) -> tuple[str, ...]:
        """``type`` and ``also``, in that order."""
        return (self.type, *self.also)


def newest_first(papers: Iterable[Paper]) -> list[Paper]:
    """Papers by date, those of one date by id."""
    return sorted(sorted(papers, key=lambda paper: paper.id), key=lambda paper: paper.date, reverse=True)
