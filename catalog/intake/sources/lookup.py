"""The right source for a reference, from the network or from a saved answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from catalog.base.utf8 import EncodingError, decode
from catalog.base.web import Web, WebError
from catalog.intake.sources import acl, arxiv, bibtex, crossref, openreview
from catalog.intake.sources.found import Found
from catalog.intake.sources.reference import Reference
from catalog.model.identity import Identity


class Sources:
    """All sources behind one client."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def look_up(self, reference: Reference) -> Found:
        """What the source says.

        Raises:
            WebError: it says nothing that can be used.
        """
        match reference.kind:
            case "arxiv":
                answer = arxiv.look_up(self._web, [reference.id])[reference.id]
                if isinstance(answer, WebError):
                    raise answer
                return answer
            case "acl":
                return acl.look_up(self._web, reference.id)
            case "openreview":
                return openreview.look_up(self._web, reference.id)
            case "doi":
                return crossref.look_up(self._web, reference.id)
            case "bibtex":
                return bibtex.parse(reference.id, str(reference))[0]

    def each(self, references: Iterable[Reference]) -> Iterator[tuple[Reference, Found | WebError]]:
        """What the sources say about many papers, in order, with a problem in place of what one does not say.

        arXiv is asked for a hundred papers at a time.
        """
        wanted = list(references)
        preprints = arxiv.look_up(self._web, [reference.id for reference in wanted if reference.kind == "arxiv"])
        for reference in wanted:
            if reference.kind == "arxiv":
                yield reference, preprints[reference.id]
                continue
            try:
                yield reference, self.look_up(reference)
            except WebError as error:
                yield reference, error


def read_saved(body: bytes, where: str, reference: Reference | None = None) -> list[Found]:
    """The papers of an answer that was saved to a file, whatever source it is from.

    Args:
        body: the content of the file.
        where: how errors name it.
        reference: the paper that is wanted; all of them if None.

    Raises:
        WebError: the file holds no answer of a source, or not that paper.
    """
    try:
        text = decode(body)
    except EncodingError as error:
        raise WebError("content", where, error.problem, error.hint) from None
    start = text.lstrip()[:1]
    if start == "<":
        papers = arxiv.parse(text.encode(), where)
    elif start == "{" and '"notes"' in text:
        papers = openreview.parse(text, where)
    elif start == "{":
        papers = crossref.parse(text, where)
    elif reference and reference.kind == "acl":
        papers = [acl.parse(text, reference.id, where)]
    else:
        papers = bibtex.parse(text, where)
    if reference and reference.kind != "bibtex":
        wanted = Identity.said("", (), {reference.kind: reference.id})
        papers = [paper for paper in papers if wanted.shared(Identity.said(paper.title, paper.authors, paper.links))]
    if not papers:
        raise WebError("content", where, f"does not hold {reference or 'a paper'}")
    return papers
