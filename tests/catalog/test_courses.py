"""Growing and successive forget sets, from results made up for the purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from invented_results import invented_result
from markup_trees import SVG

from catalog.figures import Path, course_figure
from catalog.insight.courses import courses
from catalog.model.catalog import Catalog
from catalog.model.metrics import Metric
from catalog.model.results import Result

METRICS = (Metric(id="use", label="Use"),)


@dataclass
class _Named:
    name: str


@dataclass
class _Few:
    """As much of a catalog as courses look at."""

    results: tuple[Result, ...]
    implementation_by_id: dict[str, Any] = field(default_factory=lambda: {"npo": _Named("NPO"), "rmu": _Named("RMU")})


def _result(method: str, use: float, **changes: Any) -> Result:
    return invented_result(**({"method": method, "task": "passages", "metrics": {"use": use}} | changes))


def _catalog(*results: Result) -> Catalog:
    return cast(Catalog, _Few(results))


def test_growing_sets_are_means_over_seeds_of_methods_measured_at_every_share() -> None:
    found = courses(
        _catalog(
            _result("npo", 0.9, forget_share=0.5),
            _result("npo", 0.7, forget_share=0.5, seed=1),
            _result("npo", 0.4),
            _result("rmu", 0.3),  # at no other share, so there is no course
            _result("retrained", 1.0),
        ),
        "passages",
        METRICS,
    )
    (growing,) = found
    assert (growing.id, growing.steps) == ("growing", ("50%", "100%"))
    (row,) = growing.rows
    assert (row.name, row.seeds) == ("NPO", (0, 1))
    assert [cell.mean for cell in row.cells["use"] if cell] == pytest.approx([0.8, 0.4])


def test_requests_are_followed_stage_by_stage_and_the_best_at_the_end_comes_first() -> None:
    stages = [{"use": 0.9}, {"use": 0.5}], [{"use": 0.8}, {"use": 0.6}]
    found = courses(
        _catalog(
            _result("npo", 0.5, requests=2, stages=stages[0]),
            _result("rmu", 0.6, requests=2, stages=stages[1]),
            _result("npo", 0.4, task="authors", requests=2, stages=stages[0]),
        ),
        "passages",
        METRICS,
    )
    (requests,) = found
    assert requests.id == "requests-2"
    assert requests.paths("use") == [Path("RMU", (0.8, 0.6)), Path("NPO", (0.9, 0.5))]
    assert requests.paths("unknown") == []


def test_plain_results_alone_give_no_course() -> None:
    assert courses(_catalog(_result("npo", 0.4), _result("npo", 0.5, seed=1)), "passages", METRICS) == ()


def test_the_figure_has_a_mark_for_every_step_and_says_all_in_words() -> None:
    paths = [Path("NPO & <co>", (0.9, 0.7, 0.4)), Path("RMU", (0.9, 0.8, 0.8))]
    drawn = course_figure(paths, standalone=True, label="Use", steps=("1", "2", "3"), goal=0.95, ident="here")
    root = ElementTree.fromstring(drawn)
    assert root.findtext(f"{SVG}title") == "Use at 1, 2, 3"
    assert root.findtext(f"{SVG}desc") == "NPO & <co>: 0.90, 0.70, 0.40; RMU: 0.90, 0.80, 0.80"
    marks = root.findall(f"{SVG}circle")
    assert len(marks) == 6
    assert [one.get("class") for one in marks[:3]] == ["figure-mark figure-behind"] * 2 + ["figure-mark figure-method"]
    places = [float(one.get("cx", 0)) for one in marks[:3]]
    assert places == sorted(places, reverse=True)
    assert len(root.findall(f"{SVG}line[@class='figure-goal']")) == 1
