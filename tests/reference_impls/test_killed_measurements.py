"""A search or a benchmark that is killed at any moment leaves whole files, and the same command again all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from forked import contents, do_until, is_part, torn

from catalog.model.results import EMBEDDED, Result
from catalog.model.trials import Trial
from reference_impls.progress import silent
from reference_impls.running import bench, tuning
from reference_impls.running.records import write_record
from reference_impls.running.registry import RESULTS, find_method
from reference_impls.toolkit import Task

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that is a copy of this one")
METHODS = ("npo", "grad-diff")


def killed_at_any_moment(folder: Path, command: Callable[[], object]) -> None:
    """Kill a command before each of its changes, look at what it left, and let it run again."""
    before = contents(folder)
    assert not do_until(0, command)
    after = contents(folder)
    assert after != before
    for moment in range(1, 200):
        for name in after:
            (folder / name).unlink()
        for name, content in before.items():
            (folder / name).write_bytes(content)
        if not do_until(moment, command):
            break
        left = contents(folder)
        assert torn(left, before, after) == [], moment
        assert set(before) <= set(left)
        for part in filter(is_part, left):
            os.utime(folder / part, (0, 0))  # long ago: nobody is writing it any more
        assert not do_until(0, command)
        assert contents(folder) == after, moment
    assert moment > 2


def test_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "search.yaml").write_text("budget: 2\n")
    (tmp_path / "search.json").write_text('{"rmu": []}\n')
    (tmp_path / "recipes.yaml").write_text("rmu: {steps: 60, hyperparameters: {}}\n")
    settings = ({"learning_rate": 1e-4, "retain_weight": 1.0}, {"learning_rate": 1e-3, "retain_weight": 2.0})
    trials = [Trial(settings=given, score=score, metrics={}) for given, score in zip(settings, (0.2, 0.7), strict=True)]

    def found(
        function: object, jobs: Sequence[tuning.Search], done: Callable[[Any, Any], None], workers: object
    ) -> None:
        for job in jobs:
            done(job, trials)

    monkeypatch.setattr(tuning, "run_all", found)
    task = cast("Task", SimpleNamespace(folder=tmp_path, name="authors", model=EMBEDDED))
    killed_at_any_moment(tmp_path, lambda: tuning.tune(task, [find_method("npo")], silent))
    assert "learning_rate: 0.001" in (tmp_path / "recipes.yaml").read_text()


def test_a_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = bench.plan(METHODS, "authors", seeds=2)
    monkeypatch.setattr(bench, "_measured", lambda run: Result.model_validate_json((RESULTS / run.file).read_bytes()))
    monkeypatch.setattr(bench, "write_record", lambda result, _: write_record(result, tmp_path))
    (tmp_path / "of-before").write_text("stays")

    def measure() -> None:
        for run in runs:
            bench.run_and_record(run)

    killed_at_any_moment(tmp_path, measure)
    assert len(list(tmp_path.rglob("*.json"))) == len(runs)
