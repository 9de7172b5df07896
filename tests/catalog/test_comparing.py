"""Methods side by side: how far each measure is off, and which differ beyond the intervals; what work a method is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_results import invented_result

from catalog.insight.comparing import Off, measures, off, sides
from catalog.insight.leaderboard import Cell, boards
from catalog.model.catalog import Catalog
from catalog.model.cost import work
from catalog.model.implementations import Implementation
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED, Result
from catalog.model.trials import Trial

KNOWN = Metric(id="known", label="Known", better="retrained")
UTILITY = Metric(id="model_utility", label="Utility", better="higher")
DAMAGE = Metric(id="damage", label="Damage", better="lower")
RELEARNED = Metric(id="relearning", label="After relearning", better="retrained")
TASK = Implementation("gardens", "task", "g", "Gardens", "", "", "p", "", "", "", "known", False, (), "", "g.py", 1)
FADE, WEED = (
    Implementation(name, "method", name, name, "", "", "p", "f", "loss", "", "", False, (), "", f"{name}.py", 1)
    for name in ("fade", "weed")
)
FINITE = st.floats(-10, 10)


def of(method: str, known: float, utility: float, seed: int = 0, **more: Any) -> Result:
    metrics = {"known": known, "model_utility": utility, "damage": known}
    attacks = {"relearning": known}
    given_more = {"hyperparameters": {"beta": 0.1}, "recipe": {"learning_rate": 0.001, "steps": 10}} | more
    return invented_result(
        method=method, task="gardens", model="tiny", seed=seed, metrics=metrics, attacks=attacks, **given_more
    )


def catalog(*results: Result, **more: Any) -> Catalog:
    metrics = (DAMAGE, UTILITY, KNOWN, RELEARNED)
    return Catalog((), (TASK, FADE, WEED), results, {}, metrics=metrics, **more)


@pytest.mark.parametrize(
    ("mean", "margin", "better", "goal", "low", "high"),
    [
        (0.5, 0.1, "lower", None, 0.4, 0.6),
        (0.5, 0.1, "higher", None, -0.6, -0.4),
        (0.5, 0.1, "retrained", 0.2, 0.2, 0.4),
        (0.5, 0.1, "retrained", 0.8, 0.2, 0.4),
        (0.5, 0.1, "retrained", 0.45, 0.0, 0.15),
        (0.5, 0.0, "retrained", 0.5, 0.0, 0.0),
    ],
)
def test_how_far_a_mean_is_off_is_an_interval(
    mean: float, margin: float, better: str, goal: float | None, low: float, high: float
) -> None:
    found = off(Cell(mean, margin), better, goal)
    assert found
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("margin", "better", "goal"), [(None, "higher", 0.5), (None, "retrained", 0.5), (0.1, "retrained", None)]
)
def test_without_an_interval_or_an_ideal_nothing_is_known(
    margin: float | None, better: str, goal: float | None
) -> None:
    assert off(Cell(0.5, margin), better, goal) is None


@given(FINITE, st.floats(0, 5), FINITE, st.sampled_from(["higher", "lower", "retrained"]))
def test_the_interval_holds_how_far_the_mean_itself_is_off(
    mean: float, margin: float, goal: float, better: str
) -> None:
    found = off(Cell(mean, margin), better, goal)
    itself = {"higher": -mean, "lower": mean, "retrained": abs(mean - goal)}[better]
    assert found
    assert found.low - 1e-9 <= itself <= found.high + 1e-9


@given(FINITE, FINITE, FINITE, FINITE)
def test_of_two_at_most_one_is_nearer(a: float, b: float, c: float, d: float) -> None:
    one, other = Off(*sorted((a, b))), Off(*sorted((c, d)))
    assert not (one.nearer_than(other) and other.nearer_than(one))
    assert not one.nearer_than(one)


def test_a_side_has_every_measure_with_the_headline_first() -> None:
    found = catalog(
        of("target", 1.0, 0.8), of("retrained", 0.2, 0.8), *(of("fade", 0.3, 0.7, seed) for seed in (0, 1, 2))
    )
    (board,) = boards(found)
    assert [one.id for one in measures(board)][:3] == ["known", "model_utility", "damage"]
    (side,) = sides(found, (board,), FADE)
    assert set(side.values) == {one.id for one in measures(board)}
    assert side.chosen == {"learning_rate": 0.001, "beta": 0.1}
    assert side.values["known"].off == Off(pytest.approx(0.1), pytest.approx(0.1))  # type: ignore[arg-type]
    assert list(sides(found, (board,), WEED)) == []


def test_a_side_has_the_edge_of_what_was_tried() -> None:
    def trial(closeness: float, utility: float) -> Trial:
        return Trial(settings={}, score=0.5, closeness=closeness, utility=utility, sense=1.0, metrics={})

    tried = {("gardens", EMBEDDED, "fade"): [trial(0.5, 0.9), trial(0.8, 0.4), trial(0.4, 0.8)]}
    found = catalog(of("target", 1.0, 0.8), of("retrained", 0.2, 0.8), of("fade", 0.3, 0.7), trials=tried)
    (side,) = sides(found, boards(found), FADE)
    assert side.curve == ((0.5, 0.9), (0.8, 0.4))
    assert side.values["known"].off is None, "one seed has no interval"


@pytest.mark.parametrize(
    ("forward", "backward", "stopped", "times"),
    [(40, 40, None, 1.0), (80, 40, None, 4 / 3), (40, 40, 5, 2.0), (40, 0, None, 1 / 3), (0, 0, None, 0.0)],
)
def test_work_is_told_in_times_plain_fine_tuning(
    forward: int, backward: int, stopped: int | None, times: float
) -> None:
    """Ten steps of four examples: each forward and backward once is 1; who trains nothing has no such examples."""
    recipe = {"learning_rate": 0.001, "steps": 10, "batch_size": 4}
    one = of("fade", 0.3, 0.7, recipe=recipe, forward_passes=forward, backward_passes=backward, stopped=stopped)
    found = [one, one.model_copy(update={"forget_share": 0.5, "forward_passes": 9999})]
    assert work(found, FADE) == pytest.approx(times)
    assert work(found, replace(FADE, needs=replace(FADE.needs, trains="nothing"))) is None
    assert work(found, WEED) is None
