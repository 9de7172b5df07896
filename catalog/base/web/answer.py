"""What an address answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.base.utf8 import EncodingError, decode
from catalog.base.web.errors import WebError


@dataclass(frozen=True)
class Answer:
    """What an address gave in the end."""

    url: str
    """The address at the end of all redirects."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    redirects: tuple[tuple[int, str], ...] = ()
    """(status, where it pointed) of every step."""
    cached: bool = False

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The content as text, in the encoding that the sender declares, or else in UTF-8.

        Raises:
            WebError: it is in neither.
        """
        declared = re.search(r";\s*charset\s*=\s*\"?([\w.:-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        try:
            if declared and declared[1].lower() not in ("utf-8", "utf8"):
                return self.body.decode(declared[1]).removeprefix("\ufeff")
        except (LookupError, UnicodeError):
            # What is declared wrongly may be UTF-8 all the same.
            pass
        try:
            return decode(self.body)
        except EncodingError as error:
            raise WebError(
                "content", self.url, error.problem, "Save it as UTF-8, and read it with --offline."
            ) from None
