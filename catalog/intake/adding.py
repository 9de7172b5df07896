"""``catalog add``: from what people paste to records, one after the other, never over what is there."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from catalog.base.files import sweep_below, write_new
from catalog.base.project import Project
from catalog.base.web import WebError
from catalog.intake.draft import Draft, make_draft
from catalog.intake.sources import Found, Reference, Sources, bibtex, references
from catalog.intake.suggest import read_cues
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.model.vocabulary import read_vocabularies
from catalog.parsing.problems import render
from catalog.parsing.tree import parse_tree
from catalog.parsing.validation import salvage
from catalog.reading.load import read_entries

Status = Literal["written", "drafted", "known", "similar", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one reference."""

    reference: str
    status: Status
    """``drafted`` is ``written`` without writing; ``known`` is in the catalog; ``similar`` may be."""
    message: str
    """What people are told, with what to do."""
    file: str = ""
    text: str = ""
    suggestions: list[dict[str, Any]] = field(default_factory=list)


class Adder:
    """Makes records in one checkout. It sees the records that it has written."""

    def __init__(self, project: Project, today: str | None = None, *, write: bool = True, anyway: bool = False) -> None:
        """Prepare to add.

        Args:
            project: the checkout.
            today: for ``provenance``; by default the real one.
            write: write files, or only say what they would hold.
            anyway: write papers, too, that look like one that is there.
        """
        self._project, self._write, self._anyway = project, write, anyway
        if write:
            sweep_below(project.papers)
        self._today = today or datetime.date.today().isoformat()
        self._papers = [entry.paper for entry in read_entries(project)]
        self._vocabularies, _ = read_vocabularies(project.vocabularies, project.root)
        self._cues, _ = read_cues(project.vocabularies, project.root)

    def known(self, reference: Reference) -> Outcome | None:
        """The outcome where a record has that very id, so that no source need be asked."""
        wanted = Identity.said("", (), {reference.kind: reference.id})
        for paper in self._papers:
            if wanted.shared(Identity.of(paper)):
                return Outcome(str(reference), "known", f"{reference} is there already: {paper.file}", paper.file)
        return None

    def each(self, references: Iterable[Reference], sources: Sources) -> Iterator[Outcome]:
        """Add papers; those that are there are not asked for again, so that a list can be run until it is done."""
        wanted = list(references)
        outcomes = {reference: outcome for reference in wanted if (outcome := self.known(reference))}
        yield from outcomes.values()
        for reference, answer in sources.each(reference for reference in wanted if reference not in outcomes):
            if isinstance(answer, WebError):
                # A source that was asked for many papers at once may fail without naming one.
                message = str(answer) if reference.id in str(answer) else f"{reference}: {answer}"
                yield Outcome(str(reference), "failed", message)
            else:
                yield self.add(str(reference), answer)

    def add(self, reference: str, found: Found, given: Mapping[str, Any] | None = None) -> Outcome:
        """Add one paper, from what a source says and, before that, from what a person says."""
        draft = make_draft(found, self._papers, self._vocabularies, self._cues, self._today, given)
        certain = [duplicate for duplicate in draft.duplicates if duplicate.certain]
        if certain:
            twin = certain[0]
            return Outcome(
                reference, "known", f"{reference} is there already: {twin.paper.file} {twin.reason}", twin.paper.file
            )
        if draft.duplicates and not self._anyway:
            twin = draft.duplicates[0]
            message = f"{reference} may be there already: {twin.paper.file} {twin.reason} ({twin.paper.title!r}). "
            return Outcome(
                reference, "similar", message + "If it is another paper, run this again with --anyway", twin.paper.file
            )
        if draft.problems:
            message = f"no record can be made of {reference}:\n{render(draft.problems)}"
            return Outcome(reference, "failed", message, text=draft.text)
        return self._put(reference, draft)

    def _put(self, reference: str, draft: Draft) -> Outcome:
        if self._write:
            try:
                write_new(self._project.root / draft.file, draft.text)
            except FileExistsError:
                return Outcome(
                    reference, "failed", f"{draft.file} is there already, and is not overwritten", draft.file
                )
        tree, _ = parse_tree(draft.text.encode(), draft.file)
        paper = salvage(Paper, {**tree.value, "id": draft.id, "file": draft.file}, {}) if tree else None
        if paper:
            self._papers.append(paper)
        status: Status = "written" if self._write else "drafted"
        said = [asdict(suggestion) for suggestion in draft.suggestions]
        return Outcome(reference, status, f"{draft.file}", draft.file, draft.text, said)


def references_in(text: str, where: str) -> tuple[list[Reference], list[tuple[int, str]]]:
    """The papers that a text names, and the words that name none, with the numbers of their lines.

    The text is a file in BibTeX, or names papers line by line, with anything after a ``#`` left out. What stands
    between the entries of BibTeX are remarks, except for the papers that it names.

    Args:
        text: the content of a file.
        where: how errors name it.

    Raises:
        WebError: it is broken BibTeX.
    """
    if bibtex.is_bibtex(text):
        return list(bibtex.named_in(text, where).papers), []
    papers: list[Reference] = []
    strange: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        # An address may hold a fragment; a comment stands after a space.
        said = line.partition(" #")[0].strip()
        if said and not said.startswith("#"):
            named = references(said)
            papers += named.papers
            if named.rest:
                strange.append((number, named.rest))
    return list(dict.fromkeys(papers)), strange
