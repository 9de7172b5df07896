"""The ACL Anthology, through the BibTeX of its papers."""

from __future__ import annotations

from dataclasses import replace

from catalog.base.web import Web
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


def parse(text: str, paper: str, where: str) -> Found:
    """The paper of a saved answer.

    Raises:
        WebError: it is no BibTeX.
    """
    found = bibtex.parse(text, where)[0]
    return replace(found, source="acl", links={**found.links, "acl": paper})
