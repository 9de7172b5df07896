"""The one reader of text that people and programs hand over: UTF-8, or a sentence that says what it is instead.

Nothing is ever replaced on the way in: a letter that got lost here would be published.
"""

from __future__ import annotations

import codecs
from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
"""Of a file that somebody names."""
_MARKS = (
    # UTF-32's begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LOOKED_AT = 4096
"""Bytes that tell UTF-16 from a stray zero."""


class EncodingError(ValueError):
    """Bytes are no text in UTF-8. The message follows the name of a file: "is not UTF-8, at its byte 130: ..."."""

    hint = "Save it as UTF-8."

    def __init__(self, problem: str, start: int | None = None) -> None:
        """Args: what is wrong, and the index of the byte that cannot be, if it is one."""
        super().__init__(f"{problem}: save it as UTF-8")
        self.problem, self.start = problem, start


def decode(data: bytes) -> str:
    """The text that bytes hold; a byte order mark at their beginning is no part of it.

    Raises:
        EncodingError: they are not UTF-8, and where, or which encoding they are in.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise EncodingError(f"is {name}")
    if _is_utf16(data[:_LOOKED_AT]):
        # Without a mark it is valid UTF-8 that holds a zero beside every letter.
        raise EncodingError("is UTF-16")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise EncodingError(f"is not UTF-8, at its byte {error.start + 1}", error.start) from None


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """The text of a file that is not absurdly large.

    Raises:
        OSError: it cannot be read, or is too large.
        EncodingError: it is not in UTF-8.
    """
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(27, f"larger than {limit // (1024 * 1024)} MB", str(path))
    return decode(data)


def _is_utf16(data: bytes) -> bool:
    """Whether every other byte is zero so often as only UTF-16 has it: spaces, line ends, ASCII letters."""
    halves = (data[::2], data[1::2])
    return any(half.count(0) >= 2 and half.count(0) * 4 > len(half) for half in halves)
