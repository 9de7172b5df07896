"""The interface for Python gives what the commands give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import command_runs
import pytest
from unlearning_toys import invented_pairs

import reference_impls
from reference_impls import attack, audit, evaluate, load_model, load_task, toolkit
from reference_impls import unlearn as unlearn_model
from reference_impls.errors import UsageError

ROWS: list[dict[str, Any]] = [{"prompt": one.prompt, "completion": one.answer} for one in invented_pairs()]
FORGET, RETAIN = ROWS[:3], ROWS[3:]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_files_and_the_command_give_the_same_numbers(
    saved_tiny: Path, tmp_path: Path, unlearn: command_runs.Run
) -> None:
    forget, retain = _write(tmp_path / "forget.jsonl", FORGET), _write(tmp_path / "retain.jsonl", RETAIN)
    options = ("--forget", forget, "--retain", retain, "--steps", 2, "--set", "beta=0.2", "--seed", 3, "--json")
    command = json.loads(unlearn("run", "npo", "--model", saved_tiny, *options).out)
    for task in (load_task(forget=FORGET, retain=RETAIN), load_task(forget=forget, retain=str(retain))):
        done = unlearn_model("npo", task, model=saved_tiny, steps=2, beta=0.2, seed=3)
        assert done.result.metrics == command["metrics"]
        assert done.result.hyperparameters == command["hyperparameters"]
        assert done.before["forget_probability"] > 0
    assert (
        "--forget FORGET-ROWS"
        in unlearn_model("npo", load_task(forget=FORGET, retain=RETAIN), model=saved_tiny, steps=1).result.command
    )


def test_a_model_goes_from_one_function_to_the_next(saved_tiny: Path, tmp_path: Path) -> None:
    task = load_task(forget=FORGET, retain=RETAIN)
    done = unlearn_model("ga", task, model=saved_tiny, steps=2, out=tmp_path / "out")
    assert evaluate(done.model, task).metrics == pytest.approx(done.result.metrics, abs=1e-6)
    assert evaluate(tmp_path / "out", task).metrics == pytest.approx(done.result.metrics, abs=1e-6)
    assert "quantization_8" in attack(load_model(tmp_path / "out"), task, attacks=["quantization"]).attacks
    report = audit(done.model, task, before=saved_tiny)
    assert {"known", "written"} <= {one.id for one in report.findings}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda model: load_task("npo"), "npo"),
        (lambda model: load_task(retain=RETAIN), "needs `forget`"),
        (lambda model: load_task("authors", forget=FORGET), "not both"),
        (lambda model: load_task(forget=[{"propmt": "x"}]), "forget row 1"),
        (lambda model: load_task(forget=[]), "no rows"),
        (lambda model: unlearn_model("nothing"), "nothing"),
        (lambda model: unlearn_model("grad-diff", load_task(forget=FORGET), model=model), "examples of what must stay"),
        (lambda model: unlearn_model("ga", load_task(forget=FORGET), model=model, bta=1), "bta"),
        (lambda model: unlearn_model("ga", load_task(forget=FORGET)), "ships no model"),
        (lambda model: audit(model, load_task(forget=FORGET)), "the one before"),
    ],
)
def test_what_cannot_be_says_what_to_do(call: Any, said: str, saved_tiny: Path) -> None:
    with pytest.raises(UsageError, match=said):
        call(saved_tiny)


def test_every_name_is_there_and_imports_nothing_before_it_is_used() -> None:
    assert all(callable(getattr(reference_impls, name)) for name in reference_impls.__all__)
    with pytest.raises(AttributeError, match="nothing_such"):
        reference_impls.nothing_such  # noqa: B018
    code = "import sys, reference_impls; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_toolkit_has_all_that_it_offers() -> None:
    assert [name for name in toolkit.__all__ if not hasattr(toolkit, name)] == []
    assert list(toolkit.__all__) == sorted(set(toolkit.__all__))
