"""Papers as plain values and back, without checking again what was checked: for what is kept between runs."""

from __future__ import annotations

import typing
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

M = TypeVar("M", bound=BaseModel)


def pack(model: BaseModel) -> dict[str, Any]:
    """The fields that are not as by default, as values that JSON knows."""
    fields = type(model).model_fields
    return {
        name: _packed(value)
        for name, value in model.__dict__.items()
        if fields[name].default is PydanticUndefined or value != fields[name].default
    }


def unpack(model: type[M], packed: dict[str, Any]) -> M:
    """What :func:`pack` was given."""
    values, plan = _plan(model)
    values = values.copy()
    for name, value in packed.items():
        part = plan.get(name)
        if part is not None:
            value = tuple(unpack(part, item) for item in value) if isinstance(value, list) else unpack(part, value)
        elif isinstance(value, list):
            value = tuple(value)
        values[name] = value
    # As `model_construct` does it, but without a look at every field of every part: that takes most of the time.
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", set(packed))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def _packed(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return pack(value)
    return [_packed(item) for item in value] if isinstance(value, tuple) else value


@cache
def _plan(model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, type[BaseModel]]]:
    """The fields with their defaults, in order, and the models of those that hold models."""
    parts = {name: part for name, field in model.model_fields.items() if (part := _part(field.annotation))}
    return {name: field.default for name, field in model.model_fields.items()}, parts


def _part(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for argument in typing.get_args(annotation) if (part := _part(argument))), None)
