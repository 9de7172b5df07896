from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.measuring.intervals import of_auc, of_change, of_mean

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(SHARES)
def test_a_mean_lies_in_its_interval_and_within_what_values_can_be(values: list[float]) -> None:
    one = of_mean(values)
    assert 0 <= one.low <= one.value + 1e-9
    assert one.value - 1e-9 <= one.high <= 1
    assert one.count == len(values)
    if len(values) > 3 and max(values) - min(values) > 1e-9:
        assert min(values) - 1e-12 <= one.low
        assert one.high <= max(values) + 1e-12


@given(st.floats(0, 1), st.integers(1, 60))
def test_no_interval_is_without_width(value: float, count: int) -> None:
    one, two = of_mean([value] * count), of_mean([value] * (count + 1))
    assert one.low < one.high
    assert two.high - two.low < one.high - one.low
    auc = of_auc(round(value), count, count)
    assert auc.low < auc.high


def test_intervals_of_equal_values_are_the_hand_computed_ones() -> None:
    one = of_mean([0.4])  # up to 0.975 of others may be anywhere
    assert (one.low, one.high) == pytest.approx((0.4 * 0.025, 0.4 + 0.975 * 0.6))
    ten = of_mean([1.0] * 10)  # Clopper and Pearson: 10 of 10 have a lower bound of 0.025^(1/10)
    assert (ten.low, ten.high) == pytest.approx((0.6915, 1.0), abs=1e-4)
    none = of_change([0.5] * 10, [0.5] * 10)
    assert (none.low, none.value, none.high) == pytest.approx((-0.3085, 0.0, 0.3085), abs=1e-4)


def test_a_perfect_auc_of_few_texts_may_be_chance() -> None:
    # One against one: (1 - A)^2 = 1.96^2 A (1 - A), so A = 1 / (1 + 1.96^2).
    assert of_auc(1.0, 1, 1).low == pytest.approx(1 / (1 + 1.959964**2))
    assert of_auc(0.0, 1, 1).high == pytest.approx(1 - 1 / (1 + 1.959964**2))
    lows = [of_auc(1.0, count, count).low for count in (1, 2, 4, 10, 100)]
    assert lows == sorted(lows)
    assert lows[2] < 0.65
    assert lows[4] > 0.95


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    values = [float(number % 2) for number in range(400)]
    one = of_mean(values)
    error = math.sqrt(0.25 / 400)
    assert one.low == pytest.approx(0.5 - 1.96 * error, abs=0.01)
    assert one.high == pytest.approx(0.5 + 1.96 * error, abs=0.01)
    assert of_mean(values) == one  # nothing depends on chance that is not seeded


def test_a_change_is_taken_question_by_question() -> None:
    before, after = [0.1, 0.5, 0.9, 0.5], [0.2, 0.6, 0.8, 0.6]
    one = of_change(before, after)
    assert one.value == pytest.approx(0.05)
    assert -0.1 - 1e-9 <= one.low < 0 < one.high <= 0.1 + 1e-9
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
