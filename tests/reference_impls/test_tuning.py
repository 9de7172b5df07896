from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from catalog.model.trials import Trial, winner
from reference_impls.errors import DivergedError, UsageError
from reference_impls.running import tuning
from reference_impls.running.experiment import Experiment
from reference_impls.running.records import reference_results
from reference_impls.running.registry import find_method, find_task
from reference_impls.running.tuning import Score, Search
from reference_impls.toolkit import Task

TARGET = {"forget_probability": 1.0, "forget_rouge": 1.0, "forget_truth_ratio": 0.2, "model_utility": 0.8}
RETRAINED = {"forget_probability": 0.2, "forget_rouge": 0.4, "forget_truth_ratio": 0.8, "model_utility": 0.8}
CONTENT = {"budget": 6, "seed": 1000, "rate": [0.1, 0.2], "fixed": {"steps": 3}, "methods": {}}


def score(
    metrics: dict[str, float], target: dict[str, float] = TARGET, retrained: dict[str, float] = RETRAINED
) -> float:
    return Score.of(metrics, target, retrained, Task.forgetting).score


def test_the_score_is_1_for_the_retrained_model_and_0_for_the_target() -> None:
    assert score(RETRAINED) == pytest.approx(1.0)
    assert score(TARGET) == 0.0


def test_the_score_is_the_hand_computed_one_and_punishes_going_too_far() -> None:
    halfway = {"forget_probability": 0.6, "forget_rouge": 0.7, "forget_truth_ratio": 0.5, "model_utility": 0.4}
    assert score(halfway) == pytest.approx(3 / (2 + 2 + 1))
    beyond = RETRAINED | {"forget_probability": 0.0}
    closeness = (0.75 + 1 + 1) / 3
    assert score(beyond) == pytest.approx(3 / (1 / closeness + 1 + 1))
    assert score(RETRAINED | {"model_utility": 0.0}) == 0.0
    assert score(RETRAINED | {"model_utility": 0.9}) == pytest.approx(1.0)


def test_sense_counts_beside_the_retrained_models_and_gibberish_scores_nothing() -> None:
    target, retrained = TARGET | {"forget_sense": 1.0}, RETRAINED | {"forget_sense": 0.8}
    assert score(RETRAINED | {"forget_sense": 0.4}, target, retrained) == pytest.approx(3 / (1 + 1 + 2))
    assert score(RETRAINED | {"forget_sense": 0.9}, target, retrained) == pytest.approx(1.0)
    assert score(RETRAINED | {"forget_sense": 0.0}, target, retrained) == 0.0


def test_the_distance_of_truth_ratios_counts_on_authors() -> None:
    assert "forget_distance" in find_task("authors").forgetting
    target, retrained = (one | {"forget_distance": d} for one, d in ((TARGET, 0.6), (RETRAINED, 0.0)))
    names = (*Task.forgetting, "forget_distance")
    found = Score.of(RETRAINED | {"forget_distance": 0.15}, target, retrained, names)
    assert found.closeness == pytest.approx((3 + 0.75) / 4)  # 1 - D / D of the target


Runs = list[Experiment]


def runs_that_measure(
    monkeypatch: pytest.MonkeyPatch, metrics: Callable[[Experiment], dict[str, float]], stopped: int | None = None
) -> Runs:
    """Instead of unlearning, measure what ``metrics`` says; returns what was asked for."""
    asked: Runs = []

    def run(experiment: Experiment, task: Task) -> Any:
        asked.append(experiment)
        return SimpleNamespace(result=SimpleNamespace(metrics=metrics(experiment), stopped=stopped))

    monkeypatch.setattr(tuning, "run", run)
    return asked


def references() -> tuple[dict[str, float], dict[str, float]]:
    target, retrained = (reference_results("authors")[which].metrics for which in ("target", "retrained"))
    return target, retrained


def test_a_search_spends_its_budget_and_climbs_to_the_best_knob(monkeypatch: pytest.MonkeyPatch) -> None:
    target, retrained = references()

    def measured(experiment: Experiment) -> dict[str, float]:
        # The larger the weight of the retain loss, the nearer the retrained model.
        share = min(1.0, float(experiment.settings.get("retain_weight", 1.0)) / 10)
        return {name: share * retrained[name] + (1 - share) * target[name] for name in target}

    asked = runs_that_measure(monkeypatch, measured)
    trials = tuning.search(Search("npo", "authors", CONTENT))
    assert [trial.settings.get("retain_weight") for trial in trials] == [1.0, 1.0, 2.0, 5.0, 10.0, 20.0]
    assert len(asked) == CONTENT["budget"]
    assert all(experiment.seed == 1000 for experiment in asked)
    assert max(trials, key=lambda one: one.score).settings["retain_weight"] == 10.0


def test_the_published_settings_are_tried_where_the_scan_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    target, _ = references()
    asked = runs_that_measure(monkeypatch, lambda experiment: target)
    content = CONTENT | {"methods": {"rmu": {"start": 50.0, "with": {"retain_weight": 10.0}}}}
    trials = tuning.search(Search("rmu", "authors", content))
    published = [trial.is_published(find_method("rmu")) for trial in trials]
    assert published == [False, False, True, False, False, False]
    assert trials[2].settings == {"steps": 3, "learning_rate": 0.1}
    # Said in full, or the run would take what an earlier search had chosen.
    assert asked[2].settings == {one.name: str(one.default) for one in find_method("rmu").hyperparameters}


def tried(*scores: float) -> list[Trial]:
    return [Trial(settings={"learning_rate": float(i)}, score=score, metrics={}) for i, score in enumerate(scores, 1)]


@pytest.mark.parametrize(
    ("first", "second", "looked_at", "best"),
    [
        ((0.5, 0.9, 0.7), {2: 0.9}, [2], 2),  # a good one stays in front: (.9 + .9) / 2 > .7
        ((0.5, 0.9, 0.7), {2: 0.1, 3: 0.6}, [2, 3], 3),  # (.9 + .1) / 2 = .5 < .7; (.7 + .6) / 2 = .65
        ((0.5, 0.9, 0.7), {2: 0.0, 3: 0.1, 1: 0.4}, [2, 3, 1], 1),  # .45, .4, .45: the first of equals
        ((0.8, 0.9, 0.7, 0.6), {2: 0.0, 1: 0.0, 3: 0.0}, [2, 1, 3], 2),  # three looks are all there are
        ((0.0, 0.0), {}, [], 1),
    ],
)
def test_the_best_is_run_on_a_second_seed_and_the_next_where_that_was_luck(
    first: tuple[float, ...],
    second: dict[int, float],
    looked_at: list[int],
    best: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def try_out(job: Search, method: object, settings: dict[str, Any], *, again: bool) -> Trial:
        assert job.experiment(settings, again=again).seed == 1001
        asked.append(int(settings["learning_rate"]))
        return Trial(settings=settings, score=second[asked[-1]], metrics={})

    monkeypatch.setattr(tuning, "try_out", try_out)
    trials = tuning.look_again(Search("npo", "authors", CONTENT | {"again": 3}), tried(*first))
    assert asked == looked_at
    assert [trial.again for trial in trials] == [second.get(i) for i in range(1, len(first) + 1)]
    assert winner(trials).settings == {"learning_rate": float(best)}


def test_looking_again_needs_trials_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = find_task("authors")
    monkeypatch.setattr(task, "folder", tmp_path)
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(CONTENT), encoding="utf-8")
    with pytest.raises(UsageError, match=r"No trials of npo are on record for authors: search without --again\."):
        tuning.tune(task, [find_method("npo")], lambda stage, done, total: None, again=True)


@pytest.mark.parametrize(("stopped", "counts"), [(None, False), (15, True)])
def test_a_training_that_its_own_rule_was_to_end_does_not_win_where_the_steps_ended_it(
    stopped: int | None, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, retrained = references()
    # As near as can be, as sensible as can be, and as useful as that model is: the harmonic mean of the three.
    best = 3 / (2 + max(1.0, target["model_utility"] / retrained["model_utility"]))
    runs_that_measure(monkeypatch, lambda experiment: retrained, stopped)
    job = Search("ga-until-forgotten", "authors", CONTENT)
    trial = tuning.try_out(job, find_method("ga-until-forgotten"), {"learning_rate": 0.1})
    assert trial.score == pytest.approx(best if counts else 0.0)
    assert trial.stopped == stopped
    # A method that is not to stop by itself is ended by its steps.
    job = Search("npo", "authors", CONTENT)
    assert tuning.try_out(job, find_method("npo"), {}).score == pytest.approx(best)


def test_a_search_goes_on_where_a_trial_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*given: object) -> object:
        raise DivergedError

    monkeypatch.setattr(tuning, "run", diverges)
    trial = tuning.try_out(Search("npo", "authors", CONTENT), find_method("npo"), {"learning_rate": 9.0})
    assert trial == Trial(settings={"learning_rate": 9.0}, score=0.0, metrics={})


def test_a_search_writes_a_methods_recipe_as_soon_as_its_trials_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = find_task("authors")
    monkeypatch.setattr(task, "folder", tmp_path)
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(CONTENT), encoding="utf-8")
    trials = [
        Trial(settings={"steps": 3, "learning_rate": 0.1}, score=0.25, metrics={"x": 1.0}),
        Trial(settings={"steps": 3, "learning_rate": 0.2, "retain_weight": 5.0}, score=0.75, metrics={"x": 2.0}),
    ]

    def ends_early(
        function: object, jobs: list[Search], done: Callable[[Search, list[Trial]], None], workers: int | None
    ) -> None:
        done(jobs[0], trials)  # as if the search were stopped before the second method has ended

    monkeypatch.setattr(tuning, "run_all", ends_early)
    found = tuning.tune(task, [find_method("npo"), find_method("idk")], lambda stage, done, total: None)
    assert found == {"npo": {"steps": 3, "learning_rate": 0.2, "hyperparameters": {"retain_weight": 5.0}}}
    assert yaml.safe_load((tmp_path / "recipes.yaml").read_text(encoding="utf-8")) == found
    rows = json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))["npo"]
    assert [(row["settings"], row["score"]) for row in rows] == [(one.settings, one.score) for one in trials]
