"""``catalog update --bib``: somebody's list of references, with the published versions that the catalog knows.

An entry is rewritten where it cites the preprint of a paper that has been published since. Its key, and every field
that says nothing about where the paper appeared, stay as they are; so do all other entries, and whatever stands between
them. No source is asked: what the records say is enough.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.base.text import same_title
from catalog.intake.sources import bibtex
from catalog.model.catalog import Catalog
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex as written
from catalog.outputs.export.citation import publication

if TYPE_CHECKING:
    from bibtexparser.model import Entry

_PLACE = ("journal", "journaltitle", "booktitle", "howpublished", "publisher", "number", "volume", "pages", "note")
"""Fields that say where something appeared."""
_ABOUT_THE_PAPER = frozenset(
    "title shorttitle author editor abstract keywords annote annotation file langid doi url urldate eprint eprinttype "
    "eprintclass archiveprefix primaryclass bibsource biburl year date month".split()
)
"""Fields that may say "arXiv" of a published paper as well; any other that says so is of the preprint."""
_TYPES = frozenset("article conference inproceedings misc online preprint report techreport unpublished".split())
"""Types of entries that people give to preprints. Books and theses are something else."""
_PREPRINT = re.compile(r"arxiv|\bcorr\b|preprint|prepublished|^abs/", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """One entry that is written anew."""

    key: str
    line: int
    paper: str
    """The record's id."""
    reason: str

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"key": self.key, "line": self.line, "paper": self.paper, "reason": self.reason}


@dataclass(frozen=True)
class Refreshed:
    """What became of a list of references."""

    text: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    """Entries that cite what was withdrawn or retracted, each with its line."""
    entries: int
    known: int
    """Entries of papers that the catalog holds."""

    def diff(self, before: str, name: str) -> str:
        """What would change, as people read it."""
        lines = difflib.unified_diff(
            before.splitlines(), self.text.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=2
        )
        return "\n".join(lines)


def refresh(text: str, name: str, catalog: Catalog) -> Refreshed:
    """A list of references, with published versions in place of preprints.

    Args:
        text: the content of a ``.bib`` file, lines ending in a single newline sign.
        name: how messages name the file.
        catalog: what is known.

    Raises:
        WebError: it is broken BibTeX; then nothing of it is changed.
    """
    library, known_papers = bibtex.read(text, name), _Known(catalog.papers)
    cited = bibtex.cited(text, name)
    parts: list[str] = []
    changes: list[Change] = []
    warnings: list[str] = []
    at = known = counted = 0
    line = 1
    for entry, said in zip(library.entries, cited, strict=True):
        raw = entry.raw or ""
        start = text.index(raw, at)
        line += text.count("\n", counted, start)
        counted = start
        parts.append(text[at:start])
        at = start + len(raw)
        paper = known_papers.find(said)
        new = raw
        if paper is not None:
            known += 1
            if paper.state and paper.state.kind in ("withdrawn", "retracted"):
                warnings.append(f"{name}:{line}: {entry.key} cites a paper that was {paper.state.kind} ({paper.id})")
            elif paper.appeared and _is_preprint(entry):
                new = _published(entry, raw, paper)
        if paper is not None and paper.appeared and new != raw:
            changes.append(Change(entry.key, line, paper.id, f"published at {paper.appeared.label}"))
        parts.append(new)
    return Refreshed("".join([*parts, text[at:]]), tuple(changes), tuple(warnings), len(library.entries), known)


class _Known:
    """The catalog's papers by their ids and titles, so that a long list is looked up in no time."""

    def __init__(self, papers: Iterable[Paper]) -> None:
        self._by_id: dict[tuple[str, str], Paper] = {}
        self._by_title: dict[str, list[tuple[Identity, Paper]]] = {}
        for paper in papers:
            identity = Identity.of(paper)
            self._by_id |= dict.fromkeys(identity.ids.items(), paper)
            for title in identity.titles:
                self._by_title.setdefault(title, []).append((identity, paper))

    def find(self, cited: bibtex.Cited) -> Paper | None:
        """The record of an entry's paper: by an id, or by the title together with an author."""
        own = Identity.said(cited.title, cited.authors, cited.links)
        by_id = (self._by_id[key] for key in own.ids.items() if key in self._by_id)
        titled = (pair for title in own.titles for pair in self._by_title.get(title, ()))
        by_title = (paper for other, paper in titled if own.shared(other) and not own.authors.isdisjoint(other.authors))
        return next(by_id, None) or next(by_title, None)


def _is_preprint(entry: Entry) -> bool:
    """Whether an entry cites no publication: it names no journal and no proceedings, or names arXiv as such."""
    fields = {field.key.lower(): _bare(field.value) for field in entry.fields}
    named = [fields[key] for key in ("journal", "journaltitle", "booktitle") if fields.get(key)]
    return entry.entry_type.lower() in _TYPES and all(_PREPRINT.search(name) for name in named)


def _published(entry: Entry, raw: str, paper: Paper) -> str:
    kind, fields = written.fields(paper)
    if publication(paper).kind not in ("article", "conference"):
        return raw
    new = dict(fields)
    container = "journal" if "journal" in new else "booktitle"
    kept: dict[str, tuple[str, str]] = {}
    for field in entry.fields:
        key, bare = field.key.lower(), _bare(field.value)
        if key in _PLACE and not bare:
            continue
        if key not in _ABOUT_THE_PAPER and _PREPRINT.search(bare):
            continue
        if key in ("year", "date", "month") and new["year"] not in bare:
            # The month of the preprint is not that of the publication.
            if key != "month":
                kept[key] = (field.key, f"{{{new['year']}}}")
        elif key == "title" and same_title(bare) not in {same_title(title) for title in (paper.title, new["title"])}:
            kept[key] = (field.key, f"{{{new['title']}}}")
        elif key == "doi" and paper.links.doi:
            kept[key] = (field.key, f"{{{new['doi']}}}")
        elif key == "url" and "arxiv.org" in bare:
            kept[key] = (field.key, f"{{{new['url']}}}")
        else:
            kept[key] = (field.key, field.value)
    said: dict[str, tuple[str, str]] = {}
    for key, value in kept.items():
        said[key] = value
        if key == "author":
            said[container] = (container, f"{{{new[container]}}}")
    said.setdefault(container, (container, f"{{{new[container]}}}"))
    if "date" not in said:
        said.setdefault("year", ("year", f"{{{new['year']}}}"))
    if paper.links.doi:
        said.setdefault("doi", ("doi", f"{{{paper.links.doi}}}"))
    return _laid_out(raw, kind, entry.key, said)


def _laid_out(raw: str, kind: str, key: str, fields: Mapping[str, tuple[str, str]]) -> str:
    """An entry in the manner of the old one: indented as that was, with equals signs in a column if they were."""
    names = re.findall(r"^([ \t]+)(\w+)([ \t]*)=", raw, re.MULTILINE)
    indent = names[0][0] if names else "  "
    columns = {len(name) + len(space) for _, name, space in names}
    width = columns.pop() - 1 if len(columns) == 1 and len(names) > 1 else 0
    lines = "".join(f"{indent}{name.ljust(width)} = {value},\n" for name, value in fields.values())
    upper = re.match(r"@[A-Z]", raw) is not None
    return f"@{kind.capitalize() if upper else kind}{{{key},\n{lines}}}"


def _bare(value: object) -> str:
    """A field without its quotes or braces."""
    return str(value).strip().strip('{}"').strip()
