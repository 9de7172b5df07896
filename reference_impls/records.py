"""The committed records: where they are, and how they are written."""

from __future__ import annotations

from pathlib import Path

from catalog.results import REFERENCES, Result, read_results
from reference_impls.registry import RESULTS


def reference_results(task: str) -> dict[str, Result]:
    """The records of a task's target and retrained models; empty if it ships none."""
    results, _ = read_results(RESULTS / task, RESULTS)
    return {one.method: one for one in results if one.method in REFERENCES and one.model == "tiny"}


def result_path(result: Result, folder: Path = RESULTS) -> Path:
    """Where a record of an embedded model belongs."""
    return folder / result.file


def write_record(result: Result, path: Path) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(result.to_json(), encoding="utf-8")
    scratch.replace(path)
