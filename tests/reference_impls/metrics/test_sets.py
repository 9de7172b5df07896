from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.metrics.sets import (
    forget_distance,
    forget_quality,
    forget_truth_ratio,
    harmonic_mean,
    mean,
    membership_auc,
    utility_truth_ratio,
)

RATIOS = (0.5, 2.0, 1.0, 4.0)
ratios = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20)
# Neighbouring floats are one number for the distance, and may have the same logarithm: these stay apart.
separate = st.lists(st.floats(1e-6, 1e6).map(lambda one: float(f"{one:.3g}")), min_size=1, max_size=20)
shares = st.lists(st.floats(0.001, 1), min_size=1, max_size=9)
scores = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=12)


def test_the_mean_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="mean of nothing"):
        mean([])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_mean_is_that_of_numpy(values: list[float]) -> None:
    assert mean(values) == pytest.approx(float(np.mean(values)), abs=1e-6)


# Truth ratios


def test_truth_ratios_of_a_set_are_the_hand_computed_ones() -> None:
    assert forget_truth_ratio(RATIOS) == pytest.approx(0.5625)
    assert utility_truth_ratio(RATIOS) == pytest.approx(0.125)
    assert forget_truth_ratio([1.0]) == 1.0
    assert utility_truth_ratio([1.0]) == 0.0


@given(ratios)
def test_the_forget_form_is_in_0_to_1_and_the_same_for_inverted_ratios(values: list[float]) -> None:
    assert 0 <= forget_truth_ratio(values) <= 1
    assert forget_truth_ratio(values) == pytest.approx(forget_truth_ratio([1 / one for one in values]))


@given(ratios)
def test_the_utility_form_is_in_0_to_1_and_falls_as_wrong_answers_become_likelier(values: list[float]) -> None:
    assert 0 <= utility_truth_ratio(values) <= 1
    assert utility_truth_ratio([2 * one for one in values]) <= utility_truth_ratio(values)


@given(ratios)
def test_the_order_of_answers_changes_no_aggregate(values: list[float]) -> None:
    assert forget_truth_ratio(values) == pytest.approx(forget_truth_ratio(values[::-1]))
    assert utility_truth_ratio(values) == pytest.approx(utility_truth_ratio(values[::-1]))


def test_a_ratio_that_vanished_or_overflowed_counts_as_certain() -> None:
    assert forget_truth_ratio([0.0, math.inf, 5e-324]) == pytest.approx(0.0)
    assert utility_truth_ratio([0.0]) == 1.0
    assert utility_truth_ratio([math.inf]) == 0.0


@pytest.mark.parametrize("aggregate", [forget_truth_ratio, utility_truth_ratio])
def test_a_ratio_that_is_not_a_number_is_refused(aggregate: Callable[[Sequence[float]], float]) -> None:
    with pytest.raises(ValueError, match="not numbers"):
        aggregate([math.nan, 1.0])


# Forget quality


@pytest.mark.parametrize(
    ("unlearned", "retrained", "p"),
    [
        ((1, 2, 3, 4), (5, 6, 7, 8), 2 / 70),
        ((0.1, 0.2, 0.3, 0.4, 0.5), (0.35, 0.45, 0.55, 0.65, 0.75), 0.357143),
        ((1, 1, 2, 2), (1, 2, 2, 2), 1.0),
    ],
)
def test_forget_quality_is_the_hand_computed_exact_p_value(
    unlearned: tuple[float, ...], retrained: tuple[float, ...], p: float
) -> None:
    assert forget_quality(unlearned, retrained) == pytest.approx(p, abs=1e-6)
    inverted = [1 / one for one in unlearned], [1 / one for one in retrained]
    assert forget_quality(*inverted) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize("count", [4, 40, 80, 200])
def test_forget_quality_of_sets_that_do_not_overlap_is_exact(count: int) -> None:
    low, high = [float(one) for one in range(count)], [float(one + count) for one in range(count)]
    assert forget_quality(low, high) == pytest.approx(2 / math.comb(2 * count, count), rel=1e-6)


@given(ratios)
def test_forget_quality_of_a_model_against_itself_is_1(values: list[float]) -> None:
    assert forget_quality(values, values) == 1.0


@given(separate, separate)
def test_forget_quality_is_a_probability_that_no_monotone_change_moves(
    unlearned: list[float], retrained: list[float]
) -> None:
    value = forget_quality(unlearned, retrained)
    assert 0 < value <= 1
    assert forget_quality(retrained, unlearned) == pytest.approx(value)
    assert forget_quality(np.log(unlearned).tolist(), np.log(retrained).tolist()) == pytest.approx(value)


def test_forget_quality_of_sets_that_are_all_but_alike_is_1_without_a_warning() -> None:
    assert forget_quality([1.0] * 7, [1.0] * 6 + [2.0]) == pytest.approx(1.0, abs=1e-4)


@given(st.data(), separate, separate)
def test_what_another_processor_rounds_differently_changes_no_distance(
    data: st.DataObject, unlearned: list[float], retrained: list[float]
) -> None:
    shared = [*unlearned, *retrained[::2]]  # many ties with the other sample
    moved = [value * (1 + data.draw(st.floats(-1e-6, 1e-6))) for value in shared]
    assert forget_distance(moved, retrained) == forget_distance(shared, retrained)
    assert forget_quality(moved, retrained) == pytest.approx(forget_quality(shared, retrained))
    assert forget_distance([value * (1 + 1e-6) for value in retrained], retrained) == 0


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_forget_quality_refuses_ratios_that_are_not_finite(broken: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        forget_quality([0.5, broken], [0.5, 0.6])


# Utility


def test_the_harmonic_mean_is_the_hand_computed_one() -> None:
    values = [0.9, 0.8, 0.5, 0.6, 0.9, 0.7, 0.5, 0.8, 0.6]
    assert harmonic_mean(values) == pytest.approx(0.667451, abs=1e-6)
    values[2] = 0.01
    assert harmonic_mean(values) == pytest.approx(0.080729, abs=1e-6)
    values[2] = 0.0
    assert harmonic_mean(values) == 0.0


@given(shares)
def test_the_harmonic_mean_lies_between_the_least_and_the_arithmetic_mean(values: list[float]) -> None:
    value = harmonic_mean(values)
    assert min(values) - 1e-12 <= value <= mean(values) + 1e-12
    assert value == pytest.approx(len(values) / float(np.sum(1 / np.asarray(values))))


@pytest.mark.parametrize("broken", [-0.1, math.nan])
def test_the_harmonic_mean_refuses_what_has_none(broken: float) -> None:
    with pytest.raises(ValueError, match="harmonic mean"):
        harmonic_mean([0.5, broken])


# Membership


def _pair_count(members: list[float], others: list[float]) -> float:
    wins = sum((other > member) + 0.5 * (other == member) for other in others for member in members)
    return float(wins / (len(members) * len(others)))


@pytest.mark.parametrize(
    ("members", "others", "auc"),
    [
        ((1.0, 2.0, 2.0), (2.0, 3.0, 3.0), 8 / 9),
        ((1.0, 2.0, 3.0), (1.5, 2.5, 3.5), 6 / 9),
        ((-0.5, -0.6, -0.7), (0.0, 0.1, 0.1), 1.0),
        ((0.1, 0.04, 0.1), (0.05, 0.05, 0.05), 1 / 3),
        ((1.0, 1.0), (1.0,), 0.5),
    ],
)
def test_membership_is_the_hand_computed_area(
    members: tuple[float, ...], others: tuple[float, ...], auc: float
) -> None:
    assert membership_auc(members, others) == pytest.approx(auc, abs=1e-6)


@given(scores, scores)
def test_membership_is_the_share_of_pairs_that_are_in_order(members: list[float], others: list[float]) -> None:
    value = membership_auc(members, others)
    assert value == pytest.approx(_pair_count(members, others))
    assert 0 <= value <= 1
    assert membership_auc(others, members) == pytest.approx(1 - value)
    assert membership_auc([7 * one + 1 for one in members], [7 * one + 1 for one in others]) == pytest.approx(value)


def test_membership_refuses_losses_that_are_not_numbers() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        membership_auc([math.nan], [1.0])


def test_lower_losses_of_the_forget_set_mean_that_it_is_recognized() -> None:
    assert membership_auc([0.1, 0.2], [2.0, 3.0]) == 1.0
    assert membership_auc([2.0, 3.0], [0.1, 0.2]) == 0.0


def test_a_distance_of_all_but_equal_ratios_is_told_without_a_warning() -> None:
    ratios = [0.5 + number / 100 for number in range(80)]
    assert forget_distance(ratios, ratios) == 0.0
    assert forget_distance(ratios, [value + 1e-4 for value in ratios]) == pytest.approx(1 / 80)
