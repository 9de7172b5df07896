"""The picture of a page where it is shared (Open Graph): its title in large letters, as a PNG.

Pure Python: the letters lie in ``site/picture-letters.json.gz`` as small pictures of DejaVu Serif Bold and DejaVu Sans
(free fonts), each with its advance, the left side and the top as seen from the pen, its width and 16 shades row by row.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LETTERS_FILE = "picture-letters.json.gz"
FOLDER = "pictures"
WIDTH, HEIGHT = 800, 420
_MARGIN = 64
_TITLE_LINES, _TITLE_STEP, _LINE_STEP = 4, 54, 34
_GROUND, _INK, _FAINT, _TEAL, _RUST = (251, 250, 247), (27, 36, 48), (95, 105, 117), (11, 107, 102), (168, 63, 23)
_INKS = (_INK, _FAINT, _TEAL, _RUST)
"""Each has 16 shades in the palette, from the ground to the ink."""
_IN_INK = tuple(bytes((16 * ink + shade) % 256 for shade in range(256)) for ink in range(len(_INKS)))
"""From shades to places in the palette."""
_SPACE = 0.32
"""Of a space, in heights of a capital."""


@dataclass(frozen=True)
class _Glyph:
    advance: int
    left: int
    top: int
    rows: tuple[tuple[tuple[int, bytes], ...], ...]
    """Of each row the stretches that hold anything: where one begins, and its shades from 1 to 15."""


def picture_path(page: str) -> str:
    """Where the picture of a page is: ``papers/x.md`` -> ``pictures/papers/x.png``."""
    return f"{FOLDER}/{page.rpartition('.')[0]}.png"


class Pictures:
    """Draws pictures with the letters of a file."""

    def __init__(self, letters: Path) -> None:
        self._letters = letters
        self._empty = _frame()

    def draw(self, title: str, line: str) -> bytes:
        """A PNG.

        Args:
            title: in large letters; what does not fit in four lines is left out.
            line: below it, in small ones.
        """
        rows = [bytearray(row) for row in self._empty]
        title_lines = self._wrapped("title", title, _TITLE_LINES)
        y = 150 if len(title_lines) > 3 else 172
        for title_line in title_lines:
            self._write(rows, "title", title_line, y, 0)
            y += _TITLE_STEP
        for caption in self._wrapped("line", line, 1):
            self._write(rows, "line", caption, min(y + 8, HEIGHT - 58), 1)
        self._write(rows, "line", "LLM-Unlearning", 78, 2, left=_MARGIN + 60)
        return _png(rows)

    def _glyph(self, face: str, letter: str) -> _Glyph | None:
        """The picture of a letter, or of the letter without its accents."""
        glyphs = _read(self._letters)[face]
        base = unicodedata.normalize("NFKD", letter)[:1]
        return glyphs.get(letter) or glyphs.get(base)

    def _width(self, face: str, text: str) -> int:
        glyphs = [self._glyph(face, letter) for letter in text]
        space = round(_SPACE * (38 if face == "title" else 24))
        return sum(glyph.advance if glyph else space for glyph in glyphs)

    def _wrapped(self, face: str, text: str, most: int) -> list[str]:
        """The text in lines that fit; the last ends with an ellipsis where there is more."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._width(face, longer) <= WIDTH - 2 * _MARGIN:
                lines[-1] = longer
            else:
                lines.append(word)
        if len(lines) <= most:
            return [self._cut(face, line) for line in lines]
        return [self._cut(face, line) for line in lines[: most - 1]] + [self._cut(face, f"{lines[most - 1]} …")]

    def _cut(self, face: str, line: str) -> str:
        """A line that fits, whatever the length of its words."""
        if self._width(face, line) <= WIDTH - 2 * _MARGIN:
            return line
        while line and self._width(face, f"{line}…") > WIDTH - 2 * _MARGIN:
            line = line[:-1]
        return f"{line}…"

    def _write(self, rows: list[bytearray], face: str, text: str, y: int, ink: int, left: int = _MARGIN) -> None:
        pen = left
        for letter in text:
            glyph = self._glyph(face, letter)
            if glyph is None:
                pen += self._width(face, " ")
                continue
            for down, stretches in enumerate(glyph.rows):
                row, start = rows[y + glyph.top + down], pen + glyph.left
                for across, shades in stretches:
                    row[start + across : start + across + len(shades)] = shades.translate(_IN_INK[ink])
            pen += glyph.advance


def _frame() -> list[bytes]:
    """What all pictures share: the ground, a bar at the left, and the mark, in which some dots fade."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    for row in rows:
        row[:14] = bytes([16 * 2 + 15]) * 14
    dots = [(0, 0, 6.4, 2), (1, 0, 6.4, 2), (2, 0, 6.4, 2), (0, 1, 6.4, 2), (0, 2, 6.4, 2)]
    dots += [(1, 1, 5.4, 3), (2, 1, 4, 3), (1, 2, 4, 3), (2, 2, 2.6, 3)]
    for column, line, radius, ink in dots:
        x, y = _MARGIN + 7 + 18 * column, 52 + 18 * line
        for dy in range(-7, 8):
            for dx in range(-7, 8):
                shade = round(15 * min(1.0, max(0.0, radius - (dx * dx + dy * dy) ** 0.5 + 0.5)))
                if shade:
                    rows[y + dy][x + dx] = 16 * ink + shade
    return [bytes(row) for row in rows]


def _png(rows: list[bytearray]) -> bytes:
    """An image with a palette, without a date: same rows, same bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    palette = bytes(
        round(ground + (full - ground) * shade / 15)
        for ink in _INKS
        for shade in range(16)
        for ground, full in zip(_GROUND, ink, strict=True)
    )
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 3)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"PLTE", palette),
            chunk(b"IDAT", pixels),
            chunk(b"IEND", b""),
        )
    )


@cache
def _read(path: Path) -> dict[str, dict[str, _Glyph]]:
    faces = json.loads(gzip.decompress(path.read_bytes()))
    return {
        face: {letter: _glyph(*given) for letter, given in letters.items()}
        for face, letters in faces.items()
        if isinstance(letters, dict)
    }


def _glyph(advance: int, left: int, top: int, width: int, shades: str) -> _Glyph:
    rows = (shades[start : start + width] for start in range(0, len(shades), width or 1))
    return _Glyph(advance, left, top, tuple(tuple(_stretches(row)) for row in rows))


def _stretches(row: str) -> Iterator[tuple[int, bytes]]:
    for match in re.finditer(r"[^0]+", row):
        yield match.start(), bytes(int(digit, 16) for digit in match[0])
