from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.measuring.intervals import of_auc, of_change, of_mean

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(SHARES)
def test_a_mean_lies_in_its_interval_and_within_the_values(values: list[float]) -> None:
    one = of_mean(values)
    assert min(values) - 1e-12 <= one.low <= one.value + 1e-9
    assert one.value - 1e-9 <= one.high <= max(values) + 1e-12
    assert one.count == len(values)


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    values = [float(number % 2) for number in range(400)]
    one = of_mean(values)
    error = math.sqrt(0.25 / 400)
    assert one.low == pytest.approx(0.5 - 1.96 * error, abs=0.01)
    assert one.high == pytest.approx(0.5 + 1.96 * error, abs=0.01)
    assert of_mean(values) == one  # nothing depends on chance that is not seeded


def test_a_change_is_taken_question_by_question() -> None:
    before, after = [0.1, 0.5, 0.9], [0.2, 0.6, 1.0]
    one = of_change(before, after)
    assert (one.value, one.low, one.high) == pytest.approx((0.1, 0.1, 0.1))
    with pytest.raises(ValueError, match="zip"):
        of_change([0.1], [0.1, 0.2])
    with pytest.raises(ValueError, match="nothing"):
        of_mean([])


def test_the_interval_of_an_auc_is_the_hand_computed_one() -> None:
    # A = 0.8, 10 and 20: Q1 = 0.8/1.2, Q2 = 1.28/1.8.
    variance = (0.16 + 9 * (0.8 / 1.2 - 0.64) + 19 * (1.28 / 1.8 - 0.64)) / 200
    one = of_auc(0.8, 10, 20)
    assert one.low == pytest.approx(0.8 - 1.959964 * math.sqrt(variance))
    assert one.high == pytest.approx(0.8 + 1.959964 * math.sqrt(variance))


@given(st.floats(0, 1), st.integers(1, 200), st.integers(1, 200))
def test_the_interval_of_an_auc_stays_in_range(value: float, members: int, others: int) -> None:
    one = of_auc(value, members, others)
    assert 0 <= one.low <= value <= one.high <= 1
