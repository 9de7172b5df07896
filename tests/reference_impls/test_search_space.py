from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.errors import UsageError
from reference_impls.running.registry import PACKAGE, find_method, methods, tasks
from reference_impls.running.search_space import Axis, Point, Space

RATES = Axis("learning_rate", (0.0001, 0.0002, 0.0005))
WEIGHTS = Axis("retain_weight", (1.0, 2.0, 5.0, 10.0))
SPACE = Space(RATES, WEIGHTS, 1.0, {"steps": 60})
CONTENT: dict[str, Any] = {"rate": [0.0001, 0.0002], "fixed": {"steps": 60, "batch_size": 16}, "methods": {}}


def content(task: str) -> dict[str, Any]:
    path = PACKAGE / "tasks" / task / "search.yaml"
    found: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("axis", "value", "step", "expected"),
    [
        (RATES, 0.0002, 1, 0.0005),
        (RATES, 0.0002, -1, 0.0001),
        (RATES, 0.0005, 1, 0.0012),  # 0.0005 · 2.5 = 0.00125, to two digits
        (RATES, 0.0001, -1, 0.00005),
        (RATES, 0.0003, 1, 0.0005),  # a middle that was tried
        (RATES, 0.0003, -1, 0.0002),
        (WEIGHTS, 20.0, 1, 40.0),
        (WEIGHTS, 20.0, -1, 10.0),
        (Axis("shards", (2, 4, 8)), 8, 1, 12),  # whole numbers go on by the difference
        (Axis("shards", (2, 4, 8)), 12, 1, 16),
        (Axis("shards", (2, 4, 8)), 2, -1, 0),
    ],
)
def test_the_next_value_of_an_axis_goes_past_its_ends(axis: Axis, value: float, step: int, expected: float) -> None:
    assert axis.next_to(value, step) == pytest.approx(expected)


@given(st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=6, unique=True).map(sorted), st.data())
def test_the_next_value_is_always_on_the_asked_side(values: list[float], data: st.DataObject) -> None:
    if any(high / low < 1.1 for low, high in itertools.pairwise(values)):
        return  # nearer than two digits can tell
    axis = Axis("x", tuple(values))
    value = data.draw(st.sampled_from(values))
    assert axis.next_to(value, 1) > value
    assert axis.next_to(value, -1) < value


def test_the_scan_is_of_the_first_axis_with_the_knob_as_published() -> None:
    assert list(SPACE.scan()) == [(0.0001, 1.0), (0.0002, 1.0), (0.0005, 1.0)]
    assert SPACE.settings((0.0002, 5.0)) == {"steps": 60, "learning_rate": 0.0002, "retain_weight": 5.0}


def walk(score: dict[Point, float], steps: int) -> list[Point]:
    """Where the walk goes from the scan, if a point that is not named scores 0."""
    scores = {point: score.get(point, 0.0) for point in SPACE.scan()}
    visited: list[Point] = []
    for _ in range(steps):
        following = SPACE.towards(scores)
        assert following is not None
        visited.append(following)
        scores[following] = score.get(following, 0.0)
    return visited


def test_the_walk_climbs_along_the_knob_and_past_its_end_while_that_helps() -> None:
    rising: dict[Point, float] = {(0.0002, weight): weight / 100 for weight in (1.0, 2.0, 5.0, 10.0, 20.0)}
    assert walk(rising, 4) == [(0.0002, 2.0), (0.0002, 5.0), (0.0002, 10.0), (0.0002, 20.0)]


def test_the_walk_goes_past_the_end_of_the_learning_rates_where_the_best_is_the_last() -> None:
    assert walk({(0.0005, 1.0): 0.5}, 3) == [(0.0005, 2.0), (0.0005, 0.5), (0.0012, 1.0)]


def test_what_a_method_does_not_allow_is_passed_over() -> None:
    scores: dict[Point, float] = {(0.0001, 1.0): 0.9}
    assert SPACE.towards(scores, lambda settings: settings["retain_weight"] == 1.0) == (0.0002, 1.0)


def test_where_all_neighbours_have_been_tried_the_middle_is_next() -> None:
    space = Space(Axis("demonstrations", (0, 2, 4)), None, None)
    scores: dict[Point, float] = {(value, None): score for value, score in ((0, 0.1), (2, 0.9), (4, 0.2))}
    assert space.towards(scores, lambda settings: settings["demonstrations"] in range(5)) == (3, None)


def test_of_points_with_one_score_the_first_alone_is_gone_on_from() -> None:
    """A knob that changes nothing is not followed: 1, 2 and .5 score alike, so the rate is next, then the middle."""
    alike: dict[Point, float] = {(0.0002, weight): 0.6 for weight in (0.5, 1.0, 2.0)}
    assert walk(alike, 4) == [(0.0002, 2.0), (0.0002, 0.5), (0.0005, 2.0), (0.0001, 2.0)]


@pytest.mark.parametrize(
    ("timid", "expected"),
    [
        ([(0.0001, 1.0), (0.0002, 1.0)], (0.0005, 1.0)),  # too little was done, and the next rate has not been tried
        ([(0.0001, 1.0), (0.0002, 1.0), (0.0005, 1.0)], (0.0012, 1.0)),
        ([], (0.00005, 1.0)),  # everything broke
    ],
)
def test_where_nothing_scored_the_first_axis_is_followed(timid: list[Point], expected: Point) -> None:
    tried = SPACE.scan() if len(timid) != 2 else timid
    assert SPACE.towards(dict.fromkeys(tried, 0.0), timid=timid) == expected


def test_a_walk_never_comes_back() -> None:
    places = walk({(0.0002, 2.0): 0.7, (0.0005, 2.0): 0.8}, 30)
    assert len(set(places)) == len(places)


# The spaces of the methods


@pytest.mark.parametrize("task", tasks())
@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_every_method_has_the_same_kind_of_axes_and_as_many_first_trials(method: str, task: str) -> None:
    space = Space.of(content(task), find_method(method))
    assert len(list(space.scan())) == len(content(task)["rate"])
    assert all(one < other for one, other in itertools.pairwise(space.rate.values))
    found = find_method(method)
    # What nothing is trained for has something else that says how much it does; a rule of its own needs no second axis.
    own = content(task)["methods"].get(method, {})
    assert space.rate.name == own.get("axis", "learning_rate")
    assert (space.knob is None) == (
        found.stops_itself or (found.knob is not None and found.knob.name == space.rate.name)
    )


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_a_file_names_at_most_one_knob_with_ascending_values(method: str) -> None:
    knobs = [one for one in find_method(method).hyperparameters if one.trade_off]
    assert len(knobs) <= 1
    for one in knobs:
        assert list(one.trade_off) == sorted(set(one.trade_off))
        assert len(one.trade_off) >= 2


def test_a_method_without_a_knob_trains_for_longer_or_shorter() -> None:
    space = Space.of(CONTENT, find_method("gradient-ascent"))
    assert space.knob == Axis("steps", (30, 60, 120))
    assert space.start == 60


def test_the_published_settings_are_the_files_defaults() -> None:
    search = CONTENT | {"methods": {"rmu": {"start": 50.0, "with": {"retain_weight": 10.0}}}}
    rmu = find_method("rmu")
    space = Space.of(search, rmu)
    assert space.start == 50.0
    assert space.published(0.0002, rmu) == {"steps": 60, "batch_size": 16, "learning_rate": 0.0002}


def test_settings_lie_on_the_axes_or_beside_them() -> None:
    """What is as published need not be named; what is fixed otherwise lies beside."""
    npo = find_method("npo")
    space = Space.of(CONTENT, npo)
    for point in space.scan():
        assert space.point(space.settings(point), npo) == point
    assert space.point(space.published(0.0002, npo), npo) == (0.0002, npo.knob and npo.knob.default)
    rmu = find_method("rmu")
    fixed = Space.of(CONTENT | {"methods": {"rmu": {"with": {"retain_weight": 10.0}}}}, rmu)
    assert fixed.point(fixed.published(0.0002, rmu), rmu) is None
    assert fixed.point(fixed.settings((0.0001, 5.0)), rmu) == (0.0001, 5.0)


def test_an_axis_of_one_value_is_refused() -> None:
    with pytest.raises(UsageError, match="npo fewer than two values of learning_rate"):
        Space.of(CONTENT | {"rate": [0.1]}, find_method("npo"))


def test_the_search_uses_a_seed_that_no_result_uses() -> None:
    assert all(content(task)["seed"] >= 100 for task in tasks())
