"""HTML that goes around the Markdown parser: set aside before MkDocs, put back into its pages afterwards.

Most generated pages are HTML but for a code block. Markdown leaves HTML alone, but first parses it twice to see
where it ends, and that was half of MkDocs' time under a profiler. So a page holds a comment with the HTML's hash in
its place; where the HTML changes, the page's Markdown does, too, and a builder that looks for changes finds it.
Pages that are Markdown themselves set their large blocks aside (``{% filter aside %}``): tables, figures, columns, but
nothing that the Markdown of other pages links to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!--aside ([0-9a-f]{16})[^>]*-->")


class Aside:
    """What was set aside, by its hash."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def take(self, body: str) -> str:
        """The body of a page with everything but its code blocks set aside."""
        parts = []
        position = 0
        for found in _FENCE.finditer(body):
            parts += [self._mark(body[position : found.start()]), found[0]]
            position = found.end()
        return "\n\n".join(part for part in [*parts, self._mark(body[position:])] if part)

    def put_back(self, pages: Iterable[Path]) -> None:
        """Replace the comments in finished pages.

        Raises:
            KeyError: a page holds a comment for which nothing was set aside.
        """
        for page in pages:
            text = page.read_text(encoding="utf-8")
            if "<!--aside " in text:
                page.write_text(self.restored(text), encoding="utf-8")

    def restored(self, text: str) -> str:
        """The text with what was set aside in the place of its comments.

        Raises:
            KeyError: nothing was set aside for one of them.
        """
        return _MARK.sub(lambda found: self._kept[found[1]], text)

    def block(self, html: str) -> Markup:
        """One block of HTML in a page of Markdown, set aside as it is; its comment needs empty lines around it."""
        html = html.strip()
        return Markup(f"\n{self._keep(html)}\n\n" if html else "")

    def _mark(self, html: str) -> str:
        html = re.sub(r"\n\s+", "\n", html.strip()) if "<pre" not in html else html.strip()
        return self._keep(html) if html else ""

    def _keep(self, html: str) -> str:
        key = hashlib.sha256(html.encode()).hexdigest()[:16]
        self._kept[key] = html
        # The theme adds a title to a page that holds no "<h1".
        return f"<!--aside {key}{' <h1' if '<h1' in html else ''} -->"
