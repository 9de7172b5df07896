"""YAML as plain values with positions: one pass over the parser's events, bounded, and free of surprises.

Records are untrusted and are read by people, so only the plain part of YAML is accepted: mappings with
distinct text keys, lists and text. Anchors, tags, tabs and several documents are problems with a place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from yaml.resolver import Resolver

from catalog.base.files import TooLargeError, read_plain
from catalog.base.text import printable, shorten, unfit
from catalog.base.utf8 import EncodingError, decode
from catalog.parsing.comments import Comment, comments, left_out
from catalog.parsing.problems import Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 8
MAX_NODES = 20_000

_LOST = "\ufffd"
"""What decoders put in place of what they cannot read."""
_AGAIN = "given again"
"""Stands for a key that is given twice: its second value is walked for problems, and dropped. Compared by identity, for
a file may hold any key."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = Resolver()
_OTHER_THAN_TEXT = frozenset(Resolver.yaml_implicit_resolvers)
"""First characters of plain scalars that YAML may take for something else than text."""
_CONTROL = re.compile("[^\n\r\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_TEXT = {"int": "a number", "float": "a number", "bool": "true or false", "null": "nothing"}
_ADVICE = (
    ("mapping values are not allowed", "Text that holds ': ' needs quotes around it."),
    ("could not find expected ':'", "A key is followed by a colon and a space; text over several lines needs '>-'."),
    ("cannot start any token", "Text that starts with @, ` or % needs quotes around it."),
    ("did not find expected key", "Check the indentation, and put quotes around text with quotes or colons in it."),
    ("expected ',' or ']'", "A list in brackets: [one, two]; entries with a comma or colon need quotes."),
    ("unexpected end of stream", "A quote, bracket or brace is opened and not closed."),
    ("unknown escape character", "In double quotes a backslash starts an escape; use single quotes."),
)

Place = tuple[str | int, ...]
"""The way to a value: keys and list indexes from the top, as in ``("links", "arxiv")``."""


def in_words(place: Place) -> str:
    """``("authors", 2)`` -> ``"authors, entry 3"``; ``("links", "arxiv")`` -> ``"links.arxiv"``."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f", entry {step + 1}" if text else f"entry {step + 1}"
        else:
            text += f"{'.' if text else ''}{step}"
    return shorten(text) if text else "the record"


class Mark(NamedTuple):
    """A position in the file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class NotText:
    """A plain scalar that YAML takes for something else than text: ``2404.05868`` is a number, ``no`` is false."""

    text: str
    kind: str
    """In words: ``a number``, ``true or false`` or ``nothing``."""


_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18}|[0-9]*\.[0-9]+|[0-9]+\.)(?:[eE][-+]?[0-9]{1,3})?")
_NUMBER_LENGTH = 40
_TRUE = ("yes", "true", "on")


def number_of(text: str) -> int | float | None:
    """The number that a scalar without quotes is to people; None for other ways in which YAML writes some.

    ``010`` is eight to YAML, ``1:30`` ninety, ``1_0`` ten, ``.inf`` no number at all: who writes these means something
    else, and a few letters (``0x_``, thousands of digits) even break the parsers.
    """
    if len(text) > _NUMBER_LENGTH or not _NUMBER.fullmatch(text):
        return None
    if re.fullmatch("[-+]?[0-9]+", text):
        return int(text) if abs(int(text)) < 2**63 else None
    return number if math.isfinite(number := float(text)) else None


def _typed(value: NotText) -> int | float | bool | None:
    """What YAML takes a scalar for; None also for a number that is none to people."""
    if value.kind == _NOT_TEXT["bool"]:
        return value.text.lower() in _TRUE
    return None if value.kind == _NOT_TEXT["null"] else number_of(value.text)


@dataclass
class Tree:
    """What a file holds, and where each part of it stands."""

    file: str
    value: Any = None
    """Mappings as dicts, lists as tuples, text as str, other scalars as :class:`NotText`."""
    keys: dict[Place, Mark] = field(default_factory=dict)
    values: dict[Place, Mark] = field(default_factory=dict)
    remarks: dict[Place, Comment] = field(default_factory=dict)
    """Comments that would be a part of the text before them, were that free text."""
    lost: list[Mark] = field(default_factory=list)
    """Where U+FFFD stands, the first in each line."""
    faults: dict[Place, Problem] = field(default_factory=dict)
    """What is wrong with values and keys whatever they are for, by their place: told when the tree is held against a
    model (:func:`~catalog.parsing.validation.validate`), in place of what the model finds there."""

    def with_numbers(self) -> Tree:
        """The same tree for data that is no record: numbers, true, false and nothing as what YAML takes them for."""
        faults = dict(self.faults)

        def typed(value: Any, place: Place) -> Any:
            match value:
                case NotText():
                    meant = _typed(value)
                    if meant is None and value.kind in (_NOT_TEXT["int"], _NOT_TEXT["float"]):
                        mark = self.mark(place)
                        message = f"{shorten(value.text)} is no number in digits, as they are read here"
                        hint = "Write it as in 12, 0.45 or 1.0e-9; put it in quotes if it is text."
                        problem = Problem(self.file, mark.line, mark.column, "bad-number", "error", message, hint)
                        faults.setdefault(place, problem)
                    return meant
                case dict():
                    return {key: typed(part, (*place, key)) for key, part in value.items()}
                case tuple():
                    return tuple(typed(part, (*place, index)) for index, part in enumerate(value))
            return value

        return replace(self, value=typed(self.value, ()), faults=faults)

    def mark(self, place: Place) -> Mark:
        """Where the value at ``place`` stands, or else the nearest part around it that exists."""
        while place and place not in self.values:
            place = place[:-1]
        return self.values.get(place, Mark(1, 1))

    def key_mark(self, place: Place) -> Mark:
        """Where the key of ``place`` stands; a list's entry has none, so there it is the value."""
        return self.keys.get(place) or self.mark(place)


class _StopError(Exception):
    """Nothing after this point of the file can be read sensibly."""

    def __init__(self, mark: Mark, code: str, message: str, hint: str) -> None:
        self.mark, self.code, self.message, self.hint = mark, code, message, hint


def read_tree(path: Path, file: str) -> tuple[Tree | None, list[Problem]]:
    """Read one YAML file.

    Args:
        path: the file; its size is checked before it is read.
        file: how problems name it.

    Returns:
        The tree, or None where the file cannot be read to its end, and every problem of its form.
    """
    data, problems = read_bounded(path, file)
    if data is None:
        return None, problems
    tree, problems = parse_tree(data, file)
    return tree, problems + (lost_letters(tree) if tree else [])


def read_bounded(path: Path, file: str, limit: int = MAX_BYTES) -> tuple[bytes | None, list[Problem]]:
    """The bytes of a file, or None and the problem where it is too large or cannot be read; ``file`` as above."""
    try:
        return read_plain(path, limit), []
    except TooLargeError as error:
        hint = "A record is a few lines; keep the paper's text out of it." if limit == MAX_BYTES else "Split it."
        return None, [Problem(file, 1, 1, "too-large", "error", str(error.strerror), hint)]
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        hint = "Check that it is a file, and its permissions."
        return None, [Problem(file, 1, 1, "unreadable", "error", message, hint)]


def parse_tree(data: bytes, file: str) -> tuple[Tree | None, list[Problem]]:
    """Like :func:`read_tree`, from bytes; never raises."""
    builder = _Builder(file)
    text = ""
    try:
        text = _decode(data)
        builder.look_at(text)
        for event in _events(text):
            builder.take(event)
        builder.finish()
    except _StopError as stop:
        cut = builder.look_for_cut_text(text) if stop.code == "bad-yaml" else []
        if not any(mark <= stop.mark for mark in cut):
            builder.report(stop.mark, stop.code, stop.message, stop.hint)
        return None, builder.problems
    builder.look_for_cut_text(text)
    return builder.tree, builder.problems


def lost_letters(tree: Tree) -> list[Problem]:
    """Letters that somebody lost before, by reading a text in a wrong encoding: U+FFFD was put in their place."""
    message = "holds the sign U+FFFD, which stands where a letter got lost: somebody read this in a wrong encoding"
    hint = "Write the letter that was there."
    return [Problem(tree.file, mark.line, mark.column, "lost-letter", "error", message, hint) for mark in tree.lost]


def _decode(data: bytes) -> str:
    try:
        text = decode(data)
    except EncodingError as error:
        if error.start is None:
            raise _StopError(Mark(1, 1), "not-utf-8", error.problem, error.hint) from None
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"{error.problem} (0x{data[error.start]:02X})"
        raise _StopError(_mark_at(before, len(before)), "not-utf-8", message, error.hint) from None
    if match := _CONTROL.search(text):
        raise _StopError(
            _mark_at(text, match.start()),
            "control-character",
            f"holds the control character U+{ord(match[0]):04X}",
            "Delete it; it often comes along when text is copied from a PDF.",
        )
    if (tab := text.find("\t")) >= 0:
        raise _StopError(_mark_at(text, tab), "tab", "holds a tab", "Use two spaces for each step of indentation.")
    return text


def _mark_at(text: str, index: int) -> Mark:
    lines = re.split("\r\n|\r|\n", text[:index])
    return Mark(len(lines), len(lines[-1]) + 1)


def _events(text: str) -> Iterator[Event]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        hint = next((advice for sign, advice in _ADVICE if sign in message), "Check quotes and indentation here.")
        place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        raise _StopError(place, "bad-yaml", f"not valid YAML: {printable(message)}", hint) from None
    except yaml.YAMLError as error:
        raise _StopError(
            Mark(1, 1), "bad-yaml", f"not valid YAML: {shorten(str(error))}", "Save it as plain UTF-8 text."
        ) from None


@dataclass
class _Open:
    """A mapping or list whose end has not come yet."""

    place: Place
    container: dict[str, Any] | list[Any]
    key: str | None = None
    """The key that waits for its value."""


class _Builder:
    """Takes the parser's events and grows the tree, without recursion, so that no input exhausts the stack."""

    def __init__(self, file: str) -> None:
        self.tree = Tree(file)
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._watchful = True
        self._documents = 0
        self._nodes = 0

    def report(self, mark: Mark, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(self.tree.file, mark.line, mark.column, code, "error", message, hint))

    def look_at(self, text: str) -> None:
        """What can be said of the whole text at once, for that is faster than value by value."""
        # Plain ASCII without an escape holds nothing that the reader of bytes let through.
        self._watchful = "\\" in text or not text.isascii()
        for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
            if (at := line.find(_LOST)) >= 0:
                self.tree.lost.append(Mark(number, at + 1))

    def look_for_cut_text(self, text: str) -> list[Mark]:
        """Report what YAML leaves out of a text without quotes; where only the meaning of a value tells, note it."""
        if "#" not in text:
            return []
        places = {mark: place for place, mark in self.tree.values.items()}
        cut = []
        for comment in comments(re.sub("\r\n?", "\n", text)):
            place = places.get(Mark(*comment.value))
            if comment.doubt == "cut":
                cut.append(Mark(comment.line, comment.column))
                self.report(cut[-1], *left_out(comment))
            elif comment.doubt and place is not None:
                self.tree.remarks[place] = comment
        return cut

    def take(self, event: Event) -> None:
        assert event.start_mark  # the parser marks all its events; only hand-made ones lack it
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _StopError(mark, "several-documents", "holds more than one document", "Delete the line '---'.")
        elif isinstance(event, NodeEvent):
            self._guard(event, mark)
            self._node(event, mark)
        elif isinstance(event, CollectionEndEvent):
            self._close()

    def finish(self) -> None:
        if not self._documents:
            hint = "Start from another record, or from the example in CONTRIBUTING.md."
            raise _StopError(Mark(1, 1), "empty-file", "holds nothing", hint)

    def _guard(self, event: NodeEvent, mark: Mark) -> None:
        self._nodes += 1
        if isinstance(event, AliasEvent) or event.anchor is not None:
            sign = f"{'*' if isinstance(event, AliasEvent) else '&'}{shorten(event.anchor or '')}"
            raise _StopError(
                mark, "anchor", f"uses a YAML anchor or alias ({sign})", "Write the value out, or put it in quotes."
            )
        if self._nodes > MAX_NODES:
            raise _StopError(mark, "too-many-values", f"holds more than {MAX_NODES:,} values", "Split or shorten it.")
        if len(self._open) >= MAX_DEPTH:
            hint = "A record is nested two or three levels deep."
            raise _StopError(mark, "too-deep", f"is nested deeper than {MAX_DEPTH} levels", hint)
        if (tag := getattr(event, "tag", None)) is not None:
            self.report(mark, "tag", f"uses a YAML tag ({shorten(tag)})", "Delete it, or put the text in quotes.")

    def _node(self, event: NodeEvent, mark: Mark) -> None:
        parent = self._open[-1] if self._open else None
        if parent and isinstance(parent.container, dict) and parent.key is None:
            self._key(parent, event, mark)
            return
        place = self._place(parent)
        self.tree.values[place] = mark
        if isinstance(event, ScalarEvent):
            assert event.end_mark
            span = range(mark.line, event.end_mark.line + 2)
            if _LOST in event.value and not any(lost.line in span for lost in self.tree.lost):
                self.tree.lost.append(mark)  # written as an escape
            if self._watchful:
                self._look_for_unfit(event.value, place, mark)
            self._put(_scalar(event))
        else:
            self._open.append(_Open(place, {} if isinstance(event, MappingStartEvent) else []))

    def _look_for_unfit(self, text: str, place: Place, mark: Mark) -> None:
        if text is not _AGAIN and (sign := unfit(text)):
            message = f"{in_words(place)}: holds {sign}"
            problem = Problem(
                self.tree.file, mark.line, mark.column, "invisible-character", "error", message, "Delete it."
            )
            self.tree.faults.setdefault(place, problem)

    def _place(self, parent: _Open | None) -> Place:
        if parent is None:
            return ()
        last = len(parent.container) if isinstance(parent.container, list) else parent.key
        assert last is not None  # a mapping without a waiting key takes a key first
        return (*parent.place, last)

    def _key(self, parent: _Open, event: NodeEvent, mark: Mark) -> None:
        value = _scalar(event) if isinstance(event, ScalarEvent) else None
        if isinstance(event, SequenceStartEvent | MappingStartEvent):
            raise _StopError(mark, "bad-key", "a key is a list or a mapping", "Keys are words followed by a colon.")
        if isinstance(value, NotText):
            message = f"the key {shorten(value.text)!r} is {value.kind} to YAML, not text"
            self.report(mark, "bad-key", message, "Keys are words; delete this line, or put the key in quotes.")
            value = _AGAIN
        assert isinstance(value, str)
        place = (*parent.place, value)
        if value is not _AGAIN and place in self.tree.keys:
            first = self.tree.keys[place]
            message = f"the key {shorten(value)!r} is already given in line {first.line}"
            self.report(mark, "duplicate-key", message, "Keep one of the two.")
            value = _AGAIN
        else:
            self.tree.keys[place] = mark
            if self._watchful:
                self._look_for_unfit(value, place, mark)
        parent.key = value

    def _close(self) -> None:
        done = self._open.pop()
        self._put(tuple(done.container) if isinstance(done.container, list) else done.container)

    def _put(self, value: Any) -> None:
        if not self._open:
            self.tree.value = value
            return
        parent = self._open[-1]
        if isinstance(parent.container, list):
            parent.container.append(value)
        else:
            assert parent.key is not None
            if parent.key is not _AGAIN:
                parent.container[parent.key] = value
            parent.key = None


def _scalar(event: ScalarEvent) -> str | NotText:
    # Text in quotes or in a block is text, and so is what begins like nothing else; most scalars are either.
    if not event.implicit[0] or (event.value and event.value[0] not in _OTHER_THAN_TEXT):
        return event.value
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
    kind = _NOT_TEXT.get(str(tag).rpartition(":")[2])
    # Dates stay the text that was written: a record's date may lack the day, and no time zone is meant.
    return NotText(event.value, kind) if kind else event.value
