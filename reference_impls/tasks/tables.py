"""Data files as rows: JSON Lines, JSON, CSV, plain text; Parquet and Arrow through the package ``datasets``.

Corpora are often lists of texts, or one text: each is a row with a ``text``.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.base.utf8 import EncodingError, decode
from reference_impls.toolkit import UsageError

SHOWN = 20
"""How many problems of a file are shown."""

WORKBOOKS = (".xlsx", ".xlsm", ".ods")
"""How the names of spreadsheets end, which are packed."""

_LETTER = re.compile(r"\S")

Rows = list[tuple[str, Any]]
"""(place, row) each: where a row is, for messages, and what is there."""


@dataclass(frozen=True)
class NotJson:
    """Stands where a row should be that cannot be read."""

    why: str


Data = Path | Sequence[Mapping[str, Any]]
"""Where rows are: in a file or a folder that ``datasets`` saved, or here."""


def read_rows(name: str, data: Data, problem: Callable[[Any], str], form: str) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a file, checked; every bad one is reported at once.

    Args:
        name: what rows that are not in a file are called.
        data: a file, a folder that ``datasets`` saved, or rows.
        problem: what is wrong with a row; empty if nothing is.
        form: what rows look like, as a sentence.

    Raises:
        UsageError: the file cannot be read, holds no rows, or bad ones.
    """
    rows: Rows
    rows = (
        _rows(data, problem)
        if isinstance(data, Path)
        else [(f"{name} row {at}", row) for at, row in enumerate(data, 1)]
    )
    if not rows:
        raise UsageError(f"{data if isinstance(data, Path) else name}: there are no rows in it.")
    return checked(rows, problem, form)


def checked(found: Rows, problem: Callable[[Any], str], form: str) -> list[tuple[str, dict[str, Any]]]:
    """The same rows, once it is known that nothing is wrong with them; every bad one is reported at once.

    Raises:
        UsageError: some are bad.
    """
    said = ((place, row.why if isinstance(row, NotJson) else problem(row)) for place, row in found)
    problems = [f"{place}: {why}" for place, why in said if why]
    if problems:
        rest = f"\n... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise UsageError("\n".join(problems[:SHOWN]) + f"{rest}\n{form}")
    return found


def _rows(path: Path, problem: Callable[[Any], str]) -> Rows:
    if path.is_dir() and any(path.glob("*.arrow")):
        return _from_datasets(path, "a data set")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from None
    if data.startswith(b"PAR1"):
        return _from_datasets(path, "Parquet")
    if data.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return _from_datasets(path, "Arrow")
    if data.startswith(b"PK\x03\x04") and path.suffix.lower() in WORKBOOKS:
        raise UsageError(f"{path}: is a workbook. Save its sheet as CSV.")
    if data.startswith((b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")):
        raise UsageError(f"{path}: is compressed. Unpack it first.")
    text = _text(path, data)
    if path.suffix.lower() in (".csv", ".tsv"):
        return list(_from_csv(path, text))
    if path.suffix.lower() == ".txt":
        return [(str(path), {"text": text})] if text.strip() else []
    return _from_array(path, text) or _from_objects(path, text, problem) or _from_lines(path, text)


def _text(path: Path, data: bytes) -> str:
    try:
        return decode(data)
    except EncodingError as error:
        if error.start is None:
            raise UsageError(f"{path} {error}.") from None
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}: not UTF-8 text. {error.hint}") from None


def _from_lines(path: Path, text: str) -> Rows:
    rows: Rows = []
    # Not splitlines(): JSON text may hold other line separators as they are.
    for number, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            row = _parsed(content)
        except RecursionError:
            row = NotJson("not JSON: nested too deeply")
        except ValueError as error:  # also numbers of more digits than Python reads
            row = NotJson(_why(error))
        rows.append((f"{path}:{number}", row))
    return rows


def _from_array(path: Path, text: str) -> Rows | None:
    """The objects or texts of a file that is one JSON array; None of any other."""
    if not text.lstrip().startswith("["):
        return None
    try:
        array = _parsed(text)
    except RecursionError:
        return None
    except ValueError as error:
        if _is_json(text.lstrip().partition("\n")[0]):
            return None  # lines that are lists, which are told one by one
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        return [(f"{path}{line}", NotJson(_why(error)))]
    if not array or not all(isinstance(row, dict | str) for row in array):
        return None
    rows = [{"text": row} if isinstance(row, str) else row for row in array]
    return [(f"{path}: row {number}", row) for number, row in enumerate(rows, 1)]


def _from_objects(path: Path, text: str, problem: Callable[[Any], str]) -> Rows | None:
    """The objects of a file that has them over several lines each, or the rows that its one object holds; else None."""
    start = text.lstrip().partition("\n")[0]
    if not start.startswith("{"):
        return None
    if _is_json(start):
        return _held(path, json.loads(start), problem) if text.strip() == start else None
    rows: Rows = []
    at, line, decoder = 0, 1, json.JSONDecoder(object_pairs_hook=_once)
    while found := _LETTER.search(text, at):
        begins = found.start()
        line += text.count("\n", at, begins)
        try:
            row, at = decoder.raw_decode(text, begins)
        except _TwiceError as error:
            return [(f"{path}:{line}", NotJson(_why(error)))]
        except (ValueError, RecursionError):
            return None  # told line by line
        rows.append((f"{path}:{line}", row))
        line += text.count("\n", begins, at)
    return (_held(path, rows[0][1], problem) if len(rows) == 1 else None) or rows


def _held(path: Path, whole: Any, problem: Callable[[Any], str]) -> Rows | None:
    """The rows of an object that is none itself but holds a list that begins with a good one, under whatever name.

    Raises:
        UsageError: it holds several such lists.
    """
    if not isinstance(whole, dict) or not problem(whole):
        return None
    lists = {
        name: value for name, value in whole.items() if isinstance(value, list) and value and not problem(value[0])
    }
    if not lists:
        return None
    if len(lists) > 1:
        raise UsageError(f"{path}: holds several lists, {', '.join(lists)}. Save the one that is meant alone.")
    ((name, found),) = lists.items()
    return [(f"{path}: {name}, row {number}", row) for number, row in enumerate(found, 1)]


class _TwiceError(ValueError):
    """A name stands twice in an object."""


def _parsed(text: str) -> Any:
    """What JSON text says.

    Raises:
        ValueError: it is none, or an object has a name twice, of which others would read the last.
    """
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _TwiceError(f"{name!r} stands in it twice")
    return found


def _why(error: ValueError) -> str:
    return str(error) if isinstance(error, _TwiceError) else f"not JSON: {getattr(error, 'msg', error)}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _from_csv(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    """Rows below a line of names; cells that are empty are not there."""
    lines = csv.DictReader(text.splitlines(keepends=True), delimiter=_delimiter(path, text))
    try:
        for name, count in Counter(lines.fieldnames or ()).items():
            if count > 1:
                raise UsageError(f"{path}:1: has the name {name!r} twice.")
        for row in lines:
            if None in row:
                raise UsageError(f"{path}:{lines.line_num}: has more cells than the first line has names.")
            yield f"{path}:{lines.line_num}", {key: cell for key, cell in row.items() if cell}
    except csv.Error as error:
        raise UsageError(f"{path}:{lines.line_num}: not CSV: {error}.") from None


def _delimiter(path: Path, text: str) -> str:
    """What stands between cells: where commas are decimal, spreadsheets write semicolons."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    names = text.partition("\n")[0]
    return max(",;\t", key=names.count)


def _from_datasets(path: Path, kind: str) -> Rows:
    try:
        import datasets
    except ImportError:
        raise UsageError(
            f"{path}: is {kind}, which takes a package to read. Install it with: pip install 'llm-unlearning[data]', "
            "or save the file as JSON Lines."
        ) from None
    try:
        if path.is_dir():
            data_set = datasets.load_from_disk(str(path))
        elif kind == "Arrow":
            data_set = datasets.Dataset.from_file(str(path))
        else:
            data_set = datasets.load_dataset("parquet", data_files=str(path), split="train")
        rows = [dict(row) for row in data_set]
    except (OSError, ValueError, TypeError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(f"{path}: cannot be read as {kind}: {reason}") from None
    return [
        (f"{path}: row {number}", {key: value for key, value in row.items() if value is not None})
        for number, row in enumerate(rows, 1)
    ]
