"""The comments of a YAML text, and those that are none: words that YAML leaves out because of a ``#`` before them.

A comment that is meant stands on a line of its own, or behind a value as ``# words``, two spaces away. What is
written otherwise in a text without quotes was meant as a part of it: ``the #MeToo archive``, ``issue # 2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import yaml

from catalog.base.text import shorten

SUGGESTED = "# suggested: "
"""Begins the comment above what a program suggested."""
BY_HAND = "by hand"
"""In a comment at a value: a person wrote it, and no program changes it."""

Doubt = Literal["", "cut", "free text"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Comment:
    """What YAML takes for a comment; lines and columns count from 1."""

    line: int
    column: int
    text: str
    """With its ``#``."""
    alone: bool
    """Whether it has a line of its own."""
    after_dash: bool
    """Whether only the dash of a list's entry stands before it."""
    doubt: Doubt = ""
    """``cut``: it was meant as text. ``free text``: it was, if the value before it is made of free words."""
    value: tuple[int, int] = (0, 0)
    """Line and column of the value without quotes that it stands behind."""


def comments(text: str) -> list[Comment]:
    """Every comment of a text whose lines end with line feeds; as far as it can be read, where it is no YAML."""
    tokens = list(_tokens(text))
    masked = list(text)
    for token in tokens:
        start, end = token.start_mark.index, token.end_mark.index
        if _is_block(token):
            # A comment may stand between the indicator and the text, inside the token.
            start += len(text[start:end].partition("\n")[0])
        masked[start:end] = [sign if sign == "\n" else "x" for sign in text[start:end]]
    notes = []
    lines = zip("".join(masked).split("\n"), text.split("\n"), strict=True)
    starts = accumulate((len(line) + 1 for line in text.split("\n")), initial=0)
    for number, ((line, original), start) in enumerate(zip(lines, starts, strict=False), start=1):
        if (at := line.find("#")) >= 0:
            notes.append(_comment(tokens, number, at, original, start + at))
    return notes


def left_out(comment: Comment) -> tuple[str, str, str]:
    """Code, message and hint of the problem with text that YAML takes for a comment."""
    message = f"YAML takes {shorten(comment.text)!r} for a comment, and leaves it out"
    hint = "Put the whole text in quotes. A comment begins with '# ', two spaces after the value."
    return "needs-quotes", message, hint


def _comment(tokens: list[yaml.Token], line: int, at: int, original: str, index: int) -> Comment:
    before, said = original[:at], original[at:].rstrip()
    earlier = [token for token in tokens if token.start_mark.index < index]
    # What has no length is the parser's own: the beginning of a key, the end of a block.
    written = [token for token in earlier if token.end_mark.index > token.start_mark.index]
    value = written[-1] if written and _is_plain(written[-1]) else None
    # Text on both sides is no YAML: the lines below were to go on with the value.
    goes_on = value is not None and any(map(_is_plain, tokens[len(earlier) : len(earlier) + 1]))
    doubt: Doubt = ""
    if goes_on or (not _like_a_comment(said) and (before.strip() or _inside(written, at))):
        doubt = "cut"
    elif value and before.strip() and not before.endswith("  ") and not _is_mark(said):
        doubt = "free text"
    place = (value.start_mark.line + 1, value.start_mark.column + 1) if value else (0, 0)
    return Comment(line, at + 1, said, not before.strip(), before.strip() == "-", doubt, place)


def _like_a_comment(said: str) -> bool:
    return re.match(r"#\s+\S", said) is not None


def _is_mark(said: str) -> bool:
    return said.startswith(SUGGESTED) or BY_HAND in said.lower()


def _inside(written: list[yaml.Token], column: int) -> bool:
    """Whether a line stands where the value before it could go on: in brackets, or farther in than its key."""
    opened = sum(isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken) for token in written)
    closed = sum(isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken) for token in written)
    if opened > closed:
        return True
    if len(written) < 2 or not _is_plain(written[-1]):
        return False
    owner = written[-2]
    if isinstance(owner, yaml.ValueToken) and len(written) > 2:
        owner = written[-3]
    elif not isinstance(owner, yaml.BlockEntryToken):
        return False
    return column > int(owner.start_mark.column)


def _tokens(text: str) -> Iterator[yaml.Token]:
    try:
        yield from yaml.scan(text, Loader=_LOADER)
    except yaml.YAMLError:
        return


def _is_plain(token: yaml.Token) -> bool:
    return isinstance(token, yaml.ScalarToken) and bool(token.plain)


def _is_block(token: yaml.Token) -> bool:
    return isinstance(token, yaml.ScalarToken) and token.style in ("|", ">")
