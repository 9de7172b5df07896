"""Methods times seeds on a model of one's own: made once, gone on with, and set side by side."""

from __future__ import annotations

import json
import time
from pathlib import Path

import command_runs
import pytest
from unlearning_toys import invented_pairs, write_rows

from reference_impls.errors import UsageError
from reference_impls.models.architectures import small_network
from reference_impls.running import sweep as sweeping
from reference_impls.running.experiment import Experiment, OwnData
from reference_impls.running.sweep import Job, plan, run_job
from reference_impls.toolkit import LanguageModel


@pytest.fixture(scope="module")
def small(tiny: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of which a run takes a second, beside data files."""
    folder = tmp_path_factory.mktemp("small")
    small_network("llama", len(tiny.tokenizer)).save_pretrained(folder / "model")
    tiny.tokenizer.save_pretrained(folder / "model")
    write_rows(folder / "forget.jsonl", invented_pairs()[:3])
    write_rows(folder / "retain.jsonl", invented_pairs()[3:])
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Runs are made in this process, and counted."""
    made: list[Job] = []

    def run_all(function, jobs, done, workers):  # type: ignore[no-untyped-def]
        made.extend(jobs)
        answers = [function(job) for job in jobs]
        for job, answer in zip(jobs, answers, strict=True):
            done(job, answer)
        return answers

    monkeypatch.setattr(sweeping, "run_all", run_all)
    return made


def _options(small: Path, out: Path) -> tuple[object, ...]:
    data = ("--forget", small / "forget.jsonl", "--retain", small / "retain.jsonl")
    return ("--model", small / "model", *data, "--steps", 1, "--out", out)


def test_every_run_leaves_a_record_and_is_made_once(
    small: Path, tmp_path: Path, here: list[Job], unlearn: command_runs.Run
) -> None:
    options = _options(small, tmp_path / "sweep")
    first = unlearn("sweep", "ga", "npo", "--seeds", 2, *options)
    assert first.status == 0, first.err
    assert "GA (2 seeds)" in first.out
    assert " ± " in first.out
    assert len(here) == 4
    names = {f"{method}-{seed}" for method in ("gradient-ascent", "npo") for seed in (0, 1)}
    assert {path.parent.name for path in (tmp_path / "sweep").glob("*/result.json")} == names
    again = unlearn("sweep", "npo", "--seeds", 3, *options, "--json")
    assert [one["seed"] for one in json.loads(again.out)] == [0, 1, 2]
    assert len(here) == 5  # one seed more, and nothing anew
    alone = unlearn("run", "npo", *_options(small, tmp_path / "alone"), "--seed", 1, "--json")
    record = json.loads((tmp_path / "sweep" / "npo-1" / "result.json").read_bytes())
    assert record["metrics"] == json.loads(alone.out)["metrics"]
    assert record["command"] == json.loads(alone.out)["command"]


def test_one_that_cannot_be_made_takes_no_other_with_it(
    small: Path, tmp_path: Path, here: list[Job], unlearn: command_runs.Run
) -> None:
    options = ("--model", small / "model", "--forget", small / "forget.jsonl", "--steps", 1, "--out", tmp_path / "out")
    ran = unlearn("sweep", "grad-diff", "ga", "--seeds", 1, *options, "--keep")
    assert ran.status == 1
    assert "grad-diff on authors, seed 0: GradDiff needs examples of what must stay" in ran.err
    assert (tmp_path / "out" / "gradient-ascent-0" / "config.json").is_file()  # the model was to be kept


def test_a_folder_of_other_runs_is_refused(
    small: Path, tmp_path: Path, here: list[Job], unlearn: command_runs.Run
) -> None:
    options = _options(small, tmp_path / "sweep")
    assert unlearn("sweep", "ga", "--seeds", 1, *options).status == 0
    other = unlearn("sweep", "ga", "--seeds", 1, *options, "--learning-rate", 0.1)
    assert other.status == 2
    assert "is of another run" in other.err
    (tmp_path / "sweep" / "gradient-ascent-0" / "result.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in unlearn("sweep", "ga", "--seeds", 1, *options).err


def test_what_was_measured_of_one_model_is_not_taken_for_another(
    small: Path, tmp_path: Path, here: list[Job], unlearn: command_runs.Run
) -> None:
    options = _options(small, tmp_path / "sweep")
    assert unlearn("sweep", "ga", "--seeds", 1, *options).status == 0
    for other in (("--window", 16), ("--holdout", small / "retain.jsonl")):
        ran = unlearn("sweep", "npo", "--seeds", 1, *options, *other)
        assert ran.status == 2
        assert "holds runs of something else" in ran.err
    kept = unlearn("sweep", "ga", "--seeds", 1, *options, "--keep")
    assert "whose model was not kept" in kept.err
    (tmp_path / "sweep" / "before.json").write_text("[]", encoding="utf-8")
    assert "cannot be read" in unlearn("sweep", "npo", "--seeds", 1, *options).err
    assert len(here) == 1


def test_a_place_that_is_none_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be written to"):
        plan([], tmp_path / "file", keep=False, attacked=False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its processes outlive what began them
def test_a_cluster_is_given_what_is_missing(small: Path, tmp_path: Path) -> None:
    """As ``submitit`` gives it to any cluster: here to processes of this machine."""
    data = OwnData(small / "forget.jsonl", small / "retain.jsonl")
    experiments = [
        Experiment("gradient-ascent", seed=seed, model=str(small / "model"), data=data, recipe={"steps": 1})
        for seed in (0, 1)
    ]
    jobs = plan(experiments, tmp_path, keep=False, attacked=False)
    assert run_job(jobs[0]) == ""
    assert len(sweeping.submit(jobs, "local", {"timeout_min": "5"})) == 1
    until = time.monotonic() + 240
    while jobs[1].result() is None and time.monotonic() < until:
        time.sleep(0.2)
    assert jobs[1].result() is not None
    assert sweeping.submit(jobs, "local", {}) == []
    with pytest.raises(UsageError, match="does not take the runs"):
        sweeping.submit([Job(experiments[0], tmp_path / "elsewhere")], "nowhere", {})
