"""The pages that the site's navigation leads to: ``nav`` of ``site/mkdocs.yml``, read as data.

It is the one list of them: MkDocs makes the navigation of it, the generator the row of links on top of pages that stand
together, and a step of a reading path may name any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.parsing.problems import Problem
from catalog.parsing.tree import read_tree

CONFIG_FILE = "mkdocs.yml"


@dataclass(frozen=True)
class Destination:
    """A page in the navigation."""

    id: str
    """Its file without ``.md``; of a folder's first page the folder: ``lineage``, ``authors``."""
    title: str
    address: str
    """Below the site: ``authors/index.html``."""
    section: str = ""
    """The heading under which it stands; ``""`` for a page that has none."""


@dataclass(frozen=True)
class Navigation:
    """The pages by id, in the order of the navigation."""

    by_id: Mapping[str, Destination]

    def section_of(self, ident: str) -> tuple[Destination, ...]:
        """A page and those that stand with it; nothing where no navigation names it."""
        here = self.by_id.get(ident)
        return tuple(page for page in self.by_id.values() if here and page.section == here.section)


def read_navigation(site: Path, root: Path) -> tuple[Navigation | None, list[Problem]]:
    """The navigation, with problems; None where there is no such file, or it cannot be read.

    What MkDocs itself would complain about is left to it.

    Args:
        site: the folder of ``mkdocs.yml``.
        root: what problems name files relative to.
    """
    path = site / CONFIG_FILE
    if not path.is_file():
        return None, []
    tree, problems = read_tree(path, path.relative_to(root).as_posix())
    own = [problem for problem in problems if problem.code != "tag"]  # MkDocs has tags, such as !ENV
    if tree is None or not isinstance(tree.value, dict):
        return None, own
    return Navigation({page.id: page for page in _pages(tree.value.get("nav"), "")}), own


def _pages(entries: Any, section: str) -> Iterator[Destination]:
    """The pages of a list as MkDocs takes it: ``title: file`` or ``heading: list``."""
    titled = (entry.items() for entry in entries if isinstance(entry, dict)) if isinstance(entries, tuple) else ()
    for title, target in (item for items in titled for item in items):
        if isinstance(target, str):
            stem = target.removesuffix(".md")
            yield Destination(stem.removesuffix("/index"), title, f"{stem}.html", section)
        else:
            yield from _pages(target, title)
