"""The records of runs: which there are, and how they are written."""

from __future__ import annotations

from pathlib import Path

from catalog.base.files import write_whole
from catalog.model.results import EMBEDDED, REFERENCES, Result, read_results
from reference_impls.running.registry import RESULTS


def reference_results(task: str, model: str = EMBEDDED) -> dict[str, Result]:
    """The records of a task's target and retrained models, in this order; empty if it ships none.

    ``model`` is what they were made from.

    Further retrained models, with other seeds, are none to compare with.
    """
    results, _ = read_results(RESULTS / task, RESULTS)
    by_method = {result.method: result for result in reversed(results) if result.model == model}
    return {which: by_method[which] for which in REFERENCES if which in by_method}


def write_record(result: Result, folder: Path = RESULTS) -> None:
    """Write a record where it belongs below a folder, whole or not at all."""
    write_whole(folder / result.file, result.to_json())
