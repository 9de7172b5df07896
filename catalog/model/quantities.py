"""The numbers and settings that measurements consist of, as committed files and pasted results may hold them.

JSON and YAML know numbers that no measurement gives and that no database, chart or other JSON takes: infinite ones,
those that are none, whole ones without an end. Nothing is converted: text that looks like a number, and true, are none.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field

LARGEST = 2**63 - 1
"""The largest whole number that databases and other languages hold."""

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
"""A count or a seed."""


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("bad-number: not a number; write it in digits")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError("bad-number: a number of more than 63 bits; is it right?")
    if not math.isfinite(value):
        raise ValueError("bad-number: not a finite number; leave it out")
    return value


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("empty-value: nothing; leave the line out")
    return _setting(value)


def _setting(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | str) else _number(value)


def _amount(value: Any) -> Any:
    if _number(value) < 0:
        raise ValueError("bad-number: less than 0; is it right?")
    return value


Setting = Annotated[Any, AfterValidator(_setting)]
"""Of a method: a number, a word, true or false, or nothing; whole numbers stay whole."""
Given = Annotated[Any, AfterValidator(_given)]
"""A setting by which something is looked up: never nothing."""
Amount = Annotated[Any, AfterValidator(_amount)]
"""A number of a recipe, which none is below 0."""
