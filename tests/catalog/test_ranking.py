"""Two boards of a task put the same methods in an order; how far the two agree."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_results import invented_result

from catalog.insight.leaderboard import boards
from catalog.insight.ranking import FEWEST, Comparison, comparisons, interval, pearson, ranks
from catalog.model.catalog import Catalog
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED, Result

HEADLINE = Metric(id="forget_probability", label="Forget probability", better="retrained")
UTILITY = Metric(id="model_utility", label="Utility")
NAMES = "abcdefgh"


def measured(model: str, forget: list[float], utility: list[float]) -> list[Result]:
    """References that know 1.0 and 0.4 of the forget set, and a method for each pair of numbers."""
    rows = [("target", 1.0, 0.9), ("retrained", 0.4, 0.9), *zip(NAMES, forget, utility, strict=False)]
    return [
        invented_result(method=name, metrics={"forget_probability": one, "model_utility": other}).model_copy(
            update={"model": model}
        )
        for name, one, other in rows
    ]


def compared(*results: Result) -> list[Comparison]:
    return list(comparisons(boards(Catalog((), (), results, {}, metrics=(UTILITY, HEADLINE)))))


@given(st.permutations(range(1, 8)))
def test_the_correlation_of_ranks_without_ties_is_spearmans_formula(order: list[int]) -> None:
    squares = sum((place - other) ** 2 for place, other in enumerate(order, 1))
    expected = 1 - 6 * squares / (len(order) * (len(order) ** 2 - 1))
    assert pearson([*range(1, 8)], ranks(order)) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_ties_share_the_mean_of_the_places_that_they_take(values: list[int]) -> None:
    found = ranks(values)
    assert sum(found) == pytest.approx(len(values) * (len(values) + 1) / 2)
    for one, other in itertools.combinations(range(len(values)), 2):
        assert (values[one] < values[other]) == (found[one] < found[other])


@given(st.floats(-1, 1), st.integers(4, 200))
def test_an_interval_holds_its_correlation_and_shrinks_with_more_methods(correlation: float, count: int) -> None:
    low, high = interval(correlation, count)
    assert -1 <= low <= correlation + 1e-6
    assert correlation - 1e-6 <= high <= 1
    wider = interval(correlation, max(4, count - 1))
    assert wider[1] - wider[0] >= high - low - 1e-12


def test_the_interval_by_hand() -> None:
    # Half its width in z for 10 methods: 1.96 * sqrt(1.06 / 7) = 0.7627.
    low, high = interval(0.5, 10)
    assert math.atanh(high) - math.atanh(0.5) == pytest.approx(0.7627, abs=1e-4)
    assert math.atanh(0.5) - math.atanh(low) == pytest.approx(0.7627, abs=1e-4)


def test_near_the_retrained_model_counts_on_either_side_and_the_headline_comes_first() -> None:
    # Off by .1, .2, .3, .4, .5 with both models, from below with one and from above with the other.
    small = measured(EMBEDDED, [0.3, 0.2, 0.1, 0.0, 0.9], [0.5, 0.6, 0.7, 0.8, 0.9])
    large = measured("large", [0.5, 0.6, 0.7, 0.8, 0.9], [0.9, 0.8, 0.7, 0.6, 0.5])
    (found,) = compared(*small, *large)
    headline, utility = found.agreements
    assert headline.metric == HEADLINE
    assert headline.correlation == pytest.approx(1.0)
    assert headline.verdict == "the order holds"
    assert [place.method for place in headline.places] == ["a", "b", "c", "d", "e"]
    assert utility.correlation == pytest.approx(-1.0)
    assert utility.verdict == "the order is reversed"
    assert utility.places[0].method == "e"  # more is better


def test_an_interval_around_nothing_tells_nothing() -> None:
    small = measured(EMBEDDED, [0.4] * 5, [0.1, 0.2, 0.3, 0.4, 0.5])
    large = measured("large", [0.4] * 5, [0.2, 0.5, 0.1, 0.4, 0.3])
    (found,) = compared(*small, *large)
    assert [agreement.metric for agreement in found.agreements] == [UTILITY]  # all alike by the headline
    assert found.agreements[0].verdict == "cannot be told"


def test_few_methods_on_both_are_not_compared_and_one_board_alone_neither() -> None:
    values = [0.1 * place for place in range(FEWEST)]
    small = measured(EMBEDDED, values, values)
    assert compared(*small) == []
    (found,) = compared(*small, *measured("large", values[1:], values[1:]))
    assert found.agreements == ()
