"""One page of the site to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Page:
    """One page to be: its address below the site, its template and what the template sees."""

    path: str
    template: str
    title: str
    description: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def is_html(self) -> bool:
        """Whether the template makes HTML, which Markdown has nothing to do with."""
        return self.template.endswith(".html.j2")
