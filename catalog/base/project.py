"""Where the parts of a checkout are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
"""The folder of the installed package ``catalog``, with the data that comes along."""


class NoProjectError(Exception):
    """No checkout was found; the message says what to do."""


@dataclass(frozen=True)
class Project:
    """The folders of one checkout of this repository."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The nearest folder, from ``start`` upwards, that holds ``papers/`` and ``templates/``.

        Raises:
            NoProjectError: there is none.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "papers").is_dir() and (folder / "templates").is_dir():
                return cls(folder)
        raise NoProjectError(
            f"No catalog found in {start} or above it. Run this inside a checkout, or name one with --root DIR."
        )

    @property
    def papers(self) -> Path:  # noqa: D102
        return self.root / "papers"

    @property
    def vocabularies(self) -> Path:
        """The checkout's own vocabularies; those of the installed package where it has none."""
        own = self.root / "catalog" / "vocabularies"
        return own if own.is_dir() else PACKAGE / "vocabularies"

    @property
    def templates(self) -> Path:  # noqa: D102
        return self.root / "templates"

    @property
    def site(self) -> Path:  # noqa: D102
        return self.root / "site"

    @property
    def reference_impls(self) -> Path:  # noqa: D102
        return self.root / "reference_impls"

    @property
    def build(self) -> Path:
        """Everything that is built, but the README and the lists, which are committed."""
        return self.root / "build"

    @property
    def readme(self) -> Path:  # noqa: D102
        return self.root / "README.md"

    @property
    def lists(self) -> Path:
        """The papers with authors and summaries, page by page, for readers at a code host."""
        return self.root / "lists"
