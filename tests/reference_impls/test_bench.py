from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from invented_results import invented_result

from catalog.model.results import Result
from reference_impls.cli import main
from reference_impls.running import bench, parallel
from reference_impls.running.bench import plan
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import recipes, tasks


def test_the_plan_has_every_method_with_every_seed_in_order() -> None:
    assert plan(["npo", "whp"], "authors", 2) == [
        Experiment("npo", "authors", 0),
        Experiment("npo", "authors", 1),
        Experiment("whp", "authors", 0),
        Experiment("whp", "authors", 1),
    ]


def test_resuming_leaves_out_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    done = tmp_path / "authors" / "tiny" / "npo-1.json"
    done.parent.mkdir(parents=True)
    done.write_text("{}", encoding="utf-8")
    runs: list[Experiment] = []
    monkeypatch.setattr(parallel, "run_all", lambda function, given, done, workers: runs.extend(given))
    monkeypatch.setattr("sys.argv", ["unlearn", "bench", "npo", "--task", "authors", "--resume"])
    with pytest.raises(SystemExit):
        main()
    assert [run.seed for run in runs] == [0, 2]
    assert "2 new records" in capsys.readouterr().out


def test_a_run_says_what_reproduces_it() -> None:
    assert Experiment("npo", "authors", 2).command == "unlearn run npo --task authors --seed 2"


def test_a_run_of_another_setting_has_its_own_record_and_says_so() -> None:
    experiment = Experiment("npo", "passages", 1, forget_share=0.25, requests=4)
    assert experiment.file == "passages/tiny/npo-1-share-0.25-requests-4.json"
    assert experiment.command == "unlearn run npo --task passages --seed 1 --forget-share 0.25 --requests 4"


def test_the_benchmark_of_all_tasks_has_each_method_where_it_has_a_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs: list[Experiment] = []
    monkeypatch.setattr(parallel, "run_all", lambda function, given, done, workers: jobs.extend(given))
    monkeypatch.setattr("sys.argv", ["unlearn", "bench", "--seeds", "1"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert {(job.task, job.method) for job in jobs} == {(task, method) for task in tasks() for method in recipes(task)}


# Again


def _record(**changes: Any) -> Result:
    numbers = {"metrics": {"model_utility": 0.5, "retain_perplexity": 200.0}, "attacks": {"relearning": 0.25}}
    return invented_result(**(numbers | changes))


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    path = tmp_path / Experiment("npo", "authors", 0).file
    path.parent.mkdir(parents=True)
    path.write_text(_record().to_json(), encoding="utf-8")
    return path


def test_a_run_that_is_measured_again_is_compared_number_by_number(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = _record(metrics={"model_utility": 0.52, "retain_perplexity": 210.0, "new": 1.0}, attacks={})
    monkeypatch.setattr(bench, "_measured", lambda job: again)
    before = recorded.read_bytes()
    found = bench.run_again(Experiment("npo", "authors", 0))
    assert found == {
        "model_utility": pytest.approx(0.02),
        "retain_perplexity": pytest.approx(0.05),  # relative, since it is above 1
        "relearning": math.inf,  # it does not come out any more; what is new is not the record's
    }
    assert recorded.read_bytes() == before


@pytest.mark.parametrize(
    ("off", "words", "status"), [(0.0004, [], 0), (0.02, [], 1), (0.02, ["--tolerance", "0.1"], 0)]
)
def test_check_says_what_comes_out_again_and_ends_with_1_if_something_does_not(
    off: float,
    words: list[str],
    status: int,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        parallel, "run_all", lambda function, jobs, done, workers: [{"model_utility": off} for _ in jobs]
    )
    monkeypatch.setattr("sys.argv", ["unlearn", "bench", "npo", "--task", "authors", "--check", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert (stop.value.code or 0) == status
    said = capsys.readouterr().out
    assert f"{1 - status} of 1 records come out again" in said  # seeds 1 and 2 have no record
    assert ("off by 0.02 in model_utility" in said) == bool(status)


def test_check_without_a_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["unlearn", "bench", "npo", "--check"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "no record of such a run" in capsys.readouterr().err
