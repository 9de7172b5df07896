"""What decides how the site looks: where it stands, and what it shows where nobody chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.model import defaults


@dataclass(frozen=True)
class Settings:
    """What the site must know beyond the catalog; see ``extra`` in ``site/mkdocs.yml``."""

    repository: str = ""
    """Where records can be read and edited, as ``https://host/owner/name``; ``""`` while there is no such place."""
    site_url: str = ""
    """Where the site will be, with a slash at its end; ``""`` while nobody knows."""
    branch: str = "main"
    headline_method: str = defaults.METHOD
    """The method that the home page runs."""
    headline_task: str = defaults.TASK
    utility_metric: str = defaults.UTILITY
    """The vertical axis of the figures."""
    headline_attack: str = defaults.ATTACK
    """The attack that has a figure of its own."""
    headline_metrics: tuple[str, ...] = ("forget_probability", defaults.UTILITY)
    """The columns of the small tables on the home page and on papers' pages."""
    markdown_extensions: tuple[Any, ...] = ()
    """As MkDocs reads them, for Markdown within HTML."""
