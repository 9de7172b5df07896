from __future__ import annotations

from pathlib import Path

import pytest

from reference_impls import bench, parallel, tuning
from reference_impls.bench import Job, plan
from reference_impls.cli import main
from reference_impls.registry import DivergedError, recipes, tasks


def test_the_plan_has_every_method_with_every_seed_in_order() -> None:
    assert plan(["npo", "whp"], "authors", 2, resume=False) == [
        Job("npo", "authors", 0),
        Job("npo", "authors", 1),
        Job("whp", "authors", 0),
        Job("whp", "authors", 1),
    ]


def test_resuming_leaves_out_what_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    done = tmp_path / "authors" / "tiny" / "npo-1.json"
    done.parent.mkdir(parents=True)
    done.write_text("{}", encoding="utf-8")
    assert plan(["npo"], "authors", 3, resume=True) == [Job("npo", "authors", 0), Job("npo", "authors", 2)]
    assert len(plan(["npo"], "authors", 3, resume=False)) == 3


def test_a_job_says_what_reproduces_it() -> None:
    assert Job("npo", "authors", 2).command == "unlearn run npo --task authors --seed 2"


def test_a_search_goes_on_where_a_trial_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*given: object, **more: object) -> object:
        raise DivergedError

    monkeypatch.setattr(tuning, "run_method", diverges)
    assert tuning.try_out(tuning.Trial("npo", "authors", 0, {"learning_rate": 9.0})) == {}


def test_the_benchmark_of_all_tasks_has_each_method_where_it_has_a_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs: list[Job] = []
    monkeypatch.setattr(parallel, "run_all", lambda function, given, done, workers: jobs.extend(given))
    monkeypatch.setattr("sys.argv", ["unlearn", "bench", "--seeds", "1"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert {(job.task, job.method) for job in jobs} == {(task, method) for task in tasks() for method in recipes(task)}
