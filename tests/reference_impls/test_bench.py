from __future__ import annotations

from pathlib import Path

import pytest

from reference_impls import bench
from reference_impls.bench import Job, plan


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
