"""A result that nobody measured, for tests of what is done with results."""

from __future__ import annotations

from typing import Any

from catalog.model.results import Result


def invented_result(**fields: Any) -> Result:
    """A whole record, with ``fields`` in place of what is usual."""
    usual: dict[str, Any] = {
        "method": "npo",
        "task": "authors",
        "model": "tiny",
        "seed": 0,
        "hyperparameters": {},
        "metrics": {"forget_probability": 0.25},
        "seconds": 1.0,
        "peak_memory_bytes": 1,
        "versions": {},
        "command": "unlearn run npo",
    }
    return Result.model_validate(usual | fields)
