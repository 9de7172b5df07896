"""The records of runs: where they are, how they are written, and what makes one again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from catalog.model.results import REFERENCES, Result, read_results
from reference_impls.running.registry import RESULTS


def reference_results(task: str) -> dict[str, Result]:
    """The records of a task's target and retrained models, in this order; empty if it ships none."""
    results, _ = read_results(RESULTS / task, RESULTS)
    found = {one.method: one for one in results if one.model == "tiny"}
    return {which: found[which] for which in REFERENCES if which in found}


def result_path(result: Result, folder: Path = RESULTS) -> Path:
    """Where a record of an embedded model belongs."""
    return folder / result.file


def write_record(result: Result, path: Path) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(result.to_json(), encoding="utf-8")
    scratch.replace(path)


def run_command(
    method: str,
    task: str | None,
    seed: int,
    forget_share: float = 1.0,
    requests: int = 1,
    *,
    settings: Sequence[str] = (),
    **options: object,
) -> str:
    """What reproduces a run: the shortest command that says all that was chosen.

    Args:
        method: its id.
        task: its id; None for files of one's own, which are then among the options.
        seed: said always.
        forget_share: said if it is not all.
        requests: said if there are several.
        settings: hyper-parameters, each as ``name=value``.
        options: others by name, None where nothing was chosen.
    """
    words = ["unlearn", "run", method, *(["--task", task] if task else [])]
    share = None if forget_share == 1 else f"{forget_share:g}"
    several = None if requests == 1 else requests
    chosen = {**options, "seed": seed, "forget_share": share, "requests": several}
    for name, value in chosen.items():
        words += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
    for setting in settings:
        words += ["--set", setting]
    return shlex.join(words)
