"""The ACL Anthology, through the BibTeX of its papers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from catalog.base.web import Web, WebError
from catalog.intake.sources import bibtex
from catalog.intake.sources.found import Found
from catalog.model.registries import ACL

TYPES = ("text/plain", "text/x-bibtex", "application/x-bibtex", "application/octet-stream")


def look_up(web: Web, paper: str) -> Found:
    """What the Anthology says about a paper.

    Raises:
        WebError: there is no such paper, or its BibTeX cannot be used.
    """
    url = f"{ACL.site}/{paper}.bib"
    text = web.read(url, types=TYPES, check=lambda text: parse(text, paper, url))
    return parse(text, paper, url)


def in_volume(web: Web, volume: str, worth: Callable[[str], bool]) -> list[Found]:
    """The papers of a volume, such as ``2025.acl-long``; none where it has not appeared.

    The Anthology has no search; each volume is one file of BibTeX with all abstracts.

    Args:
        web: the client.
        volume: its id.
        worth: whether an entry is worth reading, by its text, without braces.

    Raises:
        WebError: the volume cannot be read.
    """
    url = f"{ACL.site}/volumes/{volume}.bib"
    try:
        text = web.read(url, types=TYPES, check=bibtex.is_bibtex)
    except WebError as error:
        if error.status == 404:
            return []
        raise
    papers = []
    for entry in re.split(r"^(?=@)", text, flags=re.MULTILINE):
        # Braces keep capitals, in the midst of words, too.
        if not entry.startswith("@") or not worth(re.sub(r"[{}]", "", entry)):
            continue
        try:
            papers += [paper for paper in bibtex.parse(entry, url) if "acl" in paper.links]
        except WebError:  # front matter has no authors, and a broken entry says nothing of the others
            continue
    return [replace(paper, source="acl") for paper in papers]


def parse(text: str, paper: str, where: str) -> Found:
    """The paper of a saved answer.

    Raises:
        WebError: it is no BibTeX.
    """
    entry = bibtex.parse(text, where)[0]
    return replace(entry, source="acl", links={**entry.links, "acl": paper})
