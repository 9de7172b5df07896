"""Answers kept on disk for a while, one file each."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.base.files import write_whole
from catalog.base.web.answer import Answer

if TYPE_CHECKING:
    pass


class Cache:
    """A folder of answers, or none."""

    def __init__(self, folder: Path | None, age: float) -> None:
        """Args: where, and for how many seconds."""
        self._folder, self._age = folder, age

    def _place(self, url: str, accept: str) -> Path | None:
        if self._folder is None:
            return None
        name = hashlib.sha256(f"{accept}\n{url}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"

    def kept(self, url: str, accept: str) -> Answer | None:
        """What was kept of an address, unless it is too old."""
        place = self._place(url, accept)
        if place is None:
            return None
        try:
            if time.time() - place.stat().st_mtime > self._age:
                return None
            head, _, body = place.read_bytes().partition(b"\n")
            kept = json.loads(head)
            if kept["asked"] != url or kept["size"] != len(body):
                return None
            return Answer(kept["url"], 200, kept["headers"], body, cached=True)
        except (OSError, ValueError, KeyError, TypeError):
            # A cache that cannot be read is no cache.
            return None

    def keep(self, url: str, accept: str, answer: Answer) -> None:
        """Keep an answer; where that cannot be, nothing is lost."""
        place = self._place(url, accept)
        if place is None:
            return
        headers = {name: answer.headers[name] for name in ("content-type", "last-modified") if name in answer.headers}
        head = json.dumps({"asked": url, "url": answer.url, "headers": headers, "size": len(answer.body)})
        with suppress(OSError):
            write_whole(place, head.encode() + b"\n" + answer.body)
