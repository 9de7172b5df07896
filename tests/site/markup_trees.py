"""Pages and figures as trees: what a browser makes of them, and what a reader sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import html5lib

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def parse_html(text: str) -> Any:
    """The page as a browser would parse it: an xml.etree tree, whose names begin with :data:`XHTML`."""
    return html5lib.parse(text, treebuilder="etree")


def visible(element: Any) -> str:
    """The words that a reader of the element sees, with one space between them."""
    return " ".join("".join(_texts(element)).split())


def _texts(element: Any) -> Iterator[str]:
    if element.tag not in (f"{XHTML}script", f"{XHTML}style"):
        yield element.text or ""
        for child in element:
            yield from _texts(child)
            yield child.tail or ""
