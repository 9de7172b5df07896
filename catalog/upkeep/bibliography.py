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
from catalog.base.web import WebError
from catalog.intake.duplicates import duplicates
from catalog.intake.sources import bibtex
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex as written
from catalog.outputs.export.citation import publication

if TYPE_CHECKING:
    from bibtexparser.model import Entry

_PLACE = ("journal", "journaltitle", "booktitle", "howpublished", "publisher", "number", "volume", "pages", "note")
"""Fields that may say "arXiv" in an entry of a preprint."""
_TYPES = frozenset("article conference inproceedings misc online preprint report techreport unpublished".split())
"""Types of entries that people give to preprints. Books and theses are something else."""
_PREPRINT = re.compile(r"arxiv|\bcorr\b|preprint|^abs/", re.IGNORECASE)


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
    library = bibtex.read(text, name)
    shared = "".join(f"\n{one.raw}" for one in library.strings)
    parts: list[str] = []
    changes: list[Change] = []
    warnings: list[str] = []
    at = known = 0
    for entry in library.entries:
        raw = entry.raw or ""
        start = text.index(raw, at)
        line = text.count("\n", 0, start) + 1
        parts.append(text[at:start])
        at = start + len(raw)
        paper = _paper(raw + shared, name, catalog.papers)
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


def _paper(entry: str, name: str, papers: Iterable[Paper]) -> Paper | None:
    """The record of an entry's paper: by an id, or by the title together with an author."""
    try:
        found = bibtex.parse(entry, name)[0]
    except WebError:
        # An entry that says too little to be recognized.
        return None
    same = duplicates(found.title, found.authors, found.links, papers)
    return same[0].paper if same and same[0].certain else None


def _is_preprint(entry: Entry) -> bool:
    """Whether an entry cites no publication: it names no journal and no proceedings, or names arXiv as such."""
    given = {field.key.lower(): _bare(field.value) for field in entry.fields}
    named = [given[key] for key in ("journal", "journaltitle", "booktitle") if given.get(key)]
    return entry.entry_type.lower() in _TYPES and all(_PREPRINT.search(one) for one in named)


def _published(entry: Entry, raw: str, paper: Paper) -> str:
    kind, fields = written.fields(paper)
    if publication(paper).kind not in ("article", "conference"):
        return raw
    new = dict(fields)
    container = "journal" if "journal" in new else "booktitle"
    kept: dict[str, tuple[str, str]] = {}
    for field in entry.fields:
        key, bare = field.key.lower(), _bare(field.value)
        if key in _PLACE and (_PREPRINT.search(bare) or not bare):
            continue
        if key in ("year", "date", "month") and new["year"] not in bare:
            # The month of the preprint is not that of the publication.
            if key != "month":
                kept[key] = (field.key, f"{{{new['year']}}}")
        elif key == "title" and same_title(bare) not in {same_title(one) for one in (paper.title, new["title"])}:
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
