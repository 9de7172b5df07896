"""Intervals of means, held against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.base.spread import margin_of_mean

SEEDS = st.lists(st.floats(0, 1).map(lambda value: round(value, 4)), min_size=2, max_size=6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5], None),
        ([], None),
        ([0.5, 0.5, 0.5], 0.0),
        ([0.5, 0.6, 0.7], 4.303 * 0.1 / math.sqrt(3)),
        ([0.4, 0.6], 12.706 * 0.1),  # the standard deviation is 0.2 / √2
        ([0.0, 1.0] * 15, 2.086 * math.sqrt(7.5 / 29 / 30)),  # the last quantile there is stands for all further ones
    ],
)
def test_a_mean_is_known_as_well_as_its_seeds_agree(values: list[float], expected: float | None) -> None:
    assert margin_of_mean(values) == (None if expected is None else pytest.approx(expected))


@given(SEEDS, st.floats(0.1, 10), st.floats(-1, 1))
def test_an_interval_grows_with_its_unit_and_knows_no_zero(values: list[float], unit: float, shift: float) -> None:
    plain, changed = margin_of_mean(values), margin_of_mean([value * unit + shift for value in values])
    assert plain is not None
    assert changed == pytest.approx(plain * unit, abs=1e-12)


@given(SEEDS)
def test_more_seeds_that_agree_as_well_say_more(values: list[float]) -> None:
    once, twice = margin_of_mean(values), margin_of_mean([*values, *values])
    assert once is not None
    assert twice is not None
    assert twice <= once
