"""Pages to look things up: what problems mean, and which terms there are."""

from __future__ import annotations

from typing import Any

from catalog.outputs.site.page import page
from catalog.outputs.site.site import Site
from catalog.reading.codes import ALL_CODES


@page("problems.md", "problems.md.j2", "Problems", "Every code that catalog validate reports, and what it means.")
def problems(site: Site) -> dict[str, Any]:
    """The codes of problems."""
    return {"codes": ALL_CODES}


@page("vocabularies.md", "vocabularies.md.j2", "Vocabularies", "The terms that records may use.", {"hide": []})
def vocabularies(site: Site) -> dict[str, Any]:
    """Every vocabulary."""
    return {}
