"""A tree against a pydantic model: what pydantic finds, in words for people, at the right place."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from catalog.base.text import did_you_mean, shorten
from catalog.parsing.comments import left_out
from catalog.parsing.forms import Form, FreeText
from catalog.parsing.problems import Problem
from catalog.parsing.tree import NotText, Place, Tree, in_words

M = TypeVar("M", bound=BaseModel)
A = TypeVar("A")


_ID_FORM = Form("an id: lower-case words and numbers joined by hyphens", "gradient-ascent")
_OF_NUMBERS = ("int_", "float_", "finite_", "greater_than", "less_than")
"""How pydantic calls what is wrong with numbers begins so."""
_EXAMPLES = {
    "title": 'title: "The Title as Printed"',
    "authors": "authors: [Given Family, Given Family]",
    "date": "date: 2024-04",
    "year": "year: 2025",
    "type": "type: method",
    "links": 'links: {arxiv: "2404.05868"}',
    "provenance": "provenance: {source: arxiv, checked: 2026-11-23}",
}


def validate(model: type[M], tree: Tree, base: Place = (), whole: str = "the record") -> tuple[M | None, list[Problem]]:
    """The part of ``tree`` at ``base`` as a ``model``, or None together with one problem per wrong place.

    ``whole`` is what messages call that part.
    """
    value = _at(tree.value, base)
    faults = [fault for place, fault in tree.faults.items() if place[: len(base)] == base]
    problems = [*_cut(model, tree, base), *faults]
    try:
        return model.model_validate(value), problems
    except ValidationError as error:
        details = error.errors(include_url=False)
    # Of a value that is wrong whatever it is for, that is said alone: what else is wrong with it may follow from that.
    wrong = [
        detail for detail in details if (*base, *detail["loc"]) not in tree.faults and not _follows(detail, details)
    ]
    return None, [*(_problem(model, tree, base, detail, whole) for detail in wrong), *problems]


def _follows(detail: ErrorDetails, others: Iterable[ErrorDetails]) -> bool:
    """Whether a list is too short only because of entries that are wrong."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in others
    )


def _cut(model: type[BaseModel], tree: Tree, base: Place) -> Iterator[Problem]:
    """Free texts of which YAML takes the end for a comment."""
    for place, comment in tree.remarks.items():
        if place[: len(base)] == base and _annotation(model, place[len(base) :], FreeText) is not None:
            code, message, hint = left_out(comment)
            yield Problem(tree.file, comment.line, comment.column, code, "error", message, hint)


def salvage(model: type[M], value: Any, blank: dict[str, Any]) -> M | None:
    """What is right of a wrong value, so that checks across records see it in the same run.

    Args:
        model: what the value should be.
        value: the value; left as it is.
        blank: stand-ins for what is required, in the shape of the value; a list's one entry stands for any entry.
            Without a stand-in a wrong value is left out, and a wrong entry of a list becomes ``"xx"``, so that the
            others keep their places.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = [tuple(detail["loc"]) for detail in error.errors(include_url=False)]
    try:
        return model.model_validate(_mended(value, wrong, blank))
    except ValidationError:
        return None


def _mended(value: Any, places: Iterable[Place], blank: Any) -> Any:
    """A copy with stand-ins for the parts at ``places``."""
    rests: dict[str | int, list[Place]] = {}
    for place in places:
        rests.setdefault(place[0], []).append(place[1:])
    stand_ins = blank if isinstance(blank, dict) else {}
    if isinstance(value, tuple):
        entry = blank[0] if isinstance(blank, tuple) else "xx"
        return tuple(_part(part, rests.get(index), entry) for index, part in enumerate(value))
    kept = {key: _part(part, rests.get(key), stand_ins.get(key)) for key, part in value.items()}
    missing = {key: stand_in for key, stand_in in stand_ins.items() if key in rests and key not in value}
    return {key: part for key, part in (kept | missing).items() if part is not None}


def _part(part: Any, rests: list[Place] | None, blank: Any) -> Any:
    if rests is None:
        return part
    return blank if () in rests or not isinstance(part, dict | tuple) else _mended(part, rests, blank)


def _at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def _problem(model: type[BaseModel], tree: Tree, base: Place, detail: ErrorDetails, whole: str) -> Problem:
    loc = tuple(detail["loc"])
    code, message, hint = _in_words(model, loc, detail, whole)
    place = (*base, *loc)
    if detail["type"] == "extra_forbidden":
        mark = tree.key_mark(place)
    elif detail["type"] == "missing":
        mark = tree.key_mark(place[:-1])
    else:
        mark = tree.mark(place)
    return Problem(tree.file, mark.line, mark.column, code, "error", message, hint)


def _in_words(model: type[BaseModel], loc: Place, detail: ErrorDetails, whole: str) -> tuple[str, str, str]:
    """(code, message, hint) of one of pydantic's errors."""
    given, context = detail["input"], detail.get("ctx", {})
    field = str(next((step for step in reversed(loc) if isinstance(step, str)), "the record"))
    name = in_words(loc)
    match detail["type"]:
        case "missing":
            missing = str(loc[-1])
            example = _EXAMPLES.get(missing, f"{missing}: ...")
            where = in_words(loc[:-1]) if loc[:-1] else whole
            return "missing-key", f"{where} has no {missing!r}", f"Add a line like: {example}"
        case "extra_forbidden":
            known = known_keys(model, loc[:-1])
            hint = did_you_mean(str(loc[-1]), known) or f"Known here: {', '.join(known)}."
            return "unknown-key", f"unknown key {shorten(str(loc[-1]))!r}", hint
        case "string_type" | "tuple_type" | "model_type" | "model_attributes_type" | "dict_type":
            return _wrong_type(name, field, detail["type"], given)
        case "literal_error":
            choices = _choices(model, loc)
            hint = did_you_mean(_shown(given), choices) or f"One of: {', '.join(choices)}."
            return "unknown-value", f"{name} is {_shown(given)!r}, which it cannot be", hint
        case "value_error" if ours := re.fullmatch(r"([a-z]+(?:-[a-z0-9]+)*): (.*)", str(context["error"]), re.DOTALL):
            fault, _, hint = ours[2].partition("; ")
            return ours[1], f"{name}: {fault}", _sentence(hint)
        case "string_pattern_mismatch":
            return _wrong_form(name, _form(model, loc) or _ID_FORM, str(given))
        case "string_too_long" if form := _form(model, loc):
            return _wrong_form(name, form, str(given))
        case "string_too_short" | "too_short":
            return "too-short", f"{name} is too short", "Fill it in, or delete the line."
        case "string_too_long":
            return "too-long", f"{name} has more than {context['max_length']} characters", "Say it shorter."
        case "too_long":
            return "too-long", f"{name} has more than {context['max_length']} entries", "Keep the ones that matter."
        case kind if kind.startswith(_OF_NUMBERS):
            hint = "Write it without quotes, as in 12, 0.45 or 1.0e-9."
            said = detail["msg"].removeprefix("Input should be ")
            return "bad-number", f"{name} is {_shown(given)!r}, and should be {said}", hint
        case _:
            return "bad-value", f"{name}: {detail['msg']}", "See the description of the record in CONTRIBUTING.md."


def _shown(given: Any) -> str:
    if given is None or isinstance(given, bool):
        return str(given).lower() if given is not None else "nothing"
    return shorten(given.text if isinstance(given, NotText) else str(given))


def _wrong_type(name: str, field: str, expected: str, given: Any) -> tuple[str, str, str]:
    if isinstance(given, NotText) and given.kind == "nothing":
        return "empty-value", f"{name} is empty", "Write a value after the colon, or delete the line."
    if isinstance(given, NotText) and expected == "string_type":
        message = f"{name} is {given.kind} to YAML ({shorten(given.text)}), not text"
        if field == "date":
            return "needs-quotes", message, "Write YYYY-MM or YYYY-MM-DD, as in 2024-04."
        return "needs-quotes", message, f'Put it in quotes: "{shorten(given.text)}"'
    wanted, hint = {
        "string_type": ("text", "Write one value after the colon."),
        "tuple_type": ("a list", "Write [one, two], or one entry per line after '- '."),
    }.get(expected, ("keys with values", "Write {key: value}, or one indented 'key: value' per line."))
    if field == "venue":
        hint = "Write {id: colm, year: 2024}, with the track if it is not the main one."
    held = "a list" if isinstance(given, tuple) else "keys with values" if isinstance(given, dict) else "a single value"
    return "wrong-type", f"{name} holds {held} where {wanted} belongs", hint


def _wrong_form(name: str, form: Form, given: str) -> tuple[str, str, str]:
    """An id that is not one; where it stands inside an address, the hint takes it out."""
    fault = form.fault(given)
    right = form.inside(given) or form.example
    # YAML would read 2404.05868 as a number.
    written = f'"{right}"' if re.fullmatch(r"[\d.]+", right) else right
    message = f"{name}: {shorten(given)!r} is not {form.what}" + (f": {fault}" if fault else "")
    return form.code, message, f"Look the id up; one is {written}" if fault else f"Write {written}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def known_keys(model: type[BaseModel], loc: Place) -> tuple[str, ...]:
    """The keys that the part of ``model`` at ``loc`` knows, in their order; none where it is no mapping."""
    current = _model_at(model, loc)
    return tuple(field.alias or name for name, field in current.model_fields.items()) if current else ()


def _model_at(model: type[BaseModel], loc: Place) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, str) and current:
            field = _field(current, step)
            current = next(_models(field.annotation), None) if field else None
    return current


def _models(annotation: Any) -> typing.Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def _choices(model: type[BaseModel], loc: Place) -> tuple[str, ...]:
    """The values of the ``Literal`` at ``loc``."""
    owner = _model_at(model, loc[:-1])
    field = _field(owner, str(loc[-1])) if owner else None
    return tuple(str(choice) for choice in typing.get_args(field.annotation)) if field else ()


def _form(model: type[BaseModel], loc: Place) -> Form | None:
    """The form with which the field at ``loc`` is annotated."""
    return _annotation(model, loc, Form)


def _annotation(model: type[BaseModel], loc: Place, kind: type[A]) -> A | None:
    """What of a kind the field at ``loc`` is annotated with."""
    depth = max((index for index, step in enumerate(loc) if isinstance(step, str)), default=0)
    owner = _model_at(model, loc[:depth])
    field = _field(owner, str(loc[depth])) if owner and loc else None
    metadata = (*field.metadata, *_metadata(field.annotation)) if field else ()
    return next((item for item in metadata if isinstance(item, kind)), None)


def _metadata(annotation: Any) -> typing.Iterator[Any]:
    """All that a type is annotated with, however deep inside."""
    yield from getattr(annotation, "__metadata__", ())
    for part in typing.get_args(annotation):
        yield from _metadata(part)


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    """The field behind a key, which may be its alias."""
    return next((field for name, field in model.model_fields.items() if key in (name, field.alias)), None)
