"""How patient, polite and trusting the client is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from catalog.base.text import shorten


@dataclass(frozen=True)
class Settings:
    """How patient, polite and trusting the client is. Times are in seconds."""

    connect_timeout: float = 10
    read_timeout: float = 20
    """Of silence."""
    deadline: float = 60
    """For one try with everything that belongs to it, however busily the other side drips."""
    attempts: int = 4
    backoff: float = 1.5
    """The first wait between two tries; it doubles."""
    longest_wait: float = 120
    """Who asks for more with ``Retry-After``, at once or again and again, is not waited for."""
    max_bytes: int = 8 * 1024 * 1024
    max_redirects: int = 6
    interval: float = 0.5
    """Between the starts of two requests to one host."""
    intervals: Mapping[str, float] = field(
        # arXiv's terms of use ask for three seconds; the others publish rates far above these, or none.
        default_factory=lambda: {
            "export.arxiv.org": 3.0,
            "arxiv.org": 1.0,
            "api.crossref.org": 1.0,
            "api2.openreview.net": 1.0,
            "aclanthology.org": 1.0,
            "doi.org": 0.2,
            "github.com": 0.2,
        }
    )
    cache: Path | None = None
    """A folder for answers; none are kept without one."""
    cache_age: float = 24 * 3600
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """Addresses that begin with a key are fetched from the value instead."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> Settings:
        """The defaults, with ``CATALOG_MIRRORS`` and ``CATALOG_TIMEOUT`` of the environment.

        Whoever sets the seconds for one request is not made to wait longer than that for a busy host either.

        Raises:
            ValueError: a variable cannot be understood; the message says which and how to write it.
        """
        settings = cls(**given)
        if text := environment.get("CATALOG_MIRRORS"):
            pairs = [pair.partition("=")[::2] for pair in text.split()]
            if not all(urlsplit(a).hostname and urlsplit(b).hostname for a, b in pairs):
                raise ValueError("CATALOG_MIRRORS holds pairs like https://arxiv.org=http://127.0.0.1:8000/arxiv")
            settings = replace(settings, mirrors=dict(pairs))
        if text := environment.get("CATALOG_TIMEOUT"):
            try:
                seconds = float(text)
                if not 0 < seconds < 3600:
                    raise ValueError
            except ValueError:
                raise ValueError(f"CATALOG_TIMEOUT is a number of seconds, not {shorten(text)!r}") from None
            shorter = {
                name: min(seconds, getattr(settings, name))
                for name in ("connect_timeout", "read_timeout", "longest_wait")
            }
            settings = replace(settings, deadline=seconds, **shorter)
        return settings
