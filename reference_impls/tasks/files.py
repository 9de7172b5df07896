"""A task of one's own files: JSON Lines of what to forget and what to keep.

Each row is one of::

    {"prompt": "The capital of Lunia is", "completion": " Mirrorford."}
    {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
    {"text": "A passage to forget as it stands."}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from catalog.base.utf8 import EncodingError, decode
from reference_impls.toolkit import LanguageModel, Pair, Splits, Task, UsageError

SHOWN = 20


class FilesTask(Task):
    """Forget one file, keep another."""

    name = "files"
    max_new_tokens = 64

    def __init__(self, forget: Path, retain: Path, holdout: Path | None = None) -> None:
        self._rows = {
            name: _read(path) for name, path in (("forget", forget), ("retain", retain), ("holdout", holdout)) if path
        }

    def splits(self, model: LanguageModel) -> Splits:
        """The files' rows in the format of ``model``.

        Raises:
            UsageError: a chat row that the model's chat template does not take; names file and line.
        """
        pairs = {name: tuple(_pair(row, place, model) for place, row in rows) for name, rows in self._rows.items()}
        return Splits(forget=pairs["forget"], retain=pairs["retain"], holdout=pairs.get("holdout", ()))


def _read(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """(place, row) of each line, checked; every bad line of the file is reported at once."""
    try:
        data = path.read_bytes()
        text = decode(data)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from None
    except EncodingError as error:
        if error.start is None:
            raise UsageError(f"{path} {error}.") from None
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}: not UTF-8 text. {error.hint}") from None
    rows, problems = [], []
    # Not splitlines(): JSON text may hold other line separators as they are.
    for number, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
            problem = _problem(row)
        except RecursionError:
            problem = "not JSON: nested too deeply"
        except ValueError as error:  # also numbers of more digits than Python reads
            problem = f"not JSON: {getattr(error, 'msg', error)}"
        if problem:
            problems.append(f"{path}:{number}: {problem}")
        else:
            rows.append((f"{path}:{number}", row))
    if problems:
        rest = f"\n... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        form = 'Each line is {"prompt": ..., "completion": ...}, {"messages": [...]} or {"text": ...}.'
        raise UsageError("\n".join(problems[:SHOWN]) + f"{rest}\n{form}")
    if not rows:
        raise UsageError(f"{path}: there are no rows in it.")
    return rows


def _problem(row: Any) -> str:
    match row:
        case {"prompt": str(prompt), "completion": str(completion)}:
            return _text_problem(prompt + completion) if completion.strip() else "the completion is empty"
        case {"text": str(text)}:
            return _text_problem(text) if text.strip() else "the text is empty"
        case {"messages": list(messages)}:
            return "\n".join(_message_problems(messages))
        case {"prompt": _, "completion": _}:
            return "prompt and completion must be text"
        case dict():
            return f"has {', '.join(map(repr, row)) or 'no keys'}, but no known form"
    return f"a {type(row).__name__}, not an object"


def _text_problem(text: str) -> str:
    broken = any("\ud800" <= character <= "\udfff" for character in text)
    return "holds half of a character (a lone surrogate such as \\ud800)" if broken else ""


def _message_problems(messages: list[Any]) -> Iterator[str]:
    if len(messages) < 2:
        yield "messages need a user's and an assistant's turn"
        return
    for number, message in enumerate(messages, 1):
        match message:
            case {"role": "system" | "user" | "assistant", "content": str()}:
                continue
        yield f"message {number} needs a role (system, user or assistant) and a content of text"
        return
    if messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
        yield "the last message must be an answer of the assistant"
    elif problem := _text_problem("".join(message["content"] for message in messages)):
        yield problem


def _pair(row: dict[str, Any], place: str, model: LanguageModel) -> Pair:
    match row:
        case {"prompt": str(prompt), "completion": str(completion)}:
            return Pair(prompt, completion)
        case {"text": str(text)}:
            return Pair("", text, closed=False)
    *context, answer = row["messages"]
    if not model.tokenizer.chat_template:
        raise UsageError(f"{place}: chat messages, but the model has no chat template. Use prompt and completion.")
    try:
        prompt = model.conversation(context)
    except TemplateError as error:
        raise UsageError(f"{place}: the model's chat template does not take these messages: {error}.") from None
    return Pair(prompt, answer["content"])
