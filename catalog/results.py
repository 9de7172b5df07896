"""A measured run: the one record that ``unlearn run`` writes, the leaderboard shows and scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalog.problems import Problem

REFERENCES = ("target", "retrained")
"""Stand in the place of a method's id: the model before unlearning, and the one that never saw the forget set."""


class Example(BaseModel):
    """One question, as answered before and after: for people to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    prompt: str
    answer: str
    generated: str


class Result(BaseModel):
    """One run of one method on one task with one seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    task: str
    model: str
    seed: int
    hyperparameters: dict[str, Any]
    recipe: dict[str, Any] = Field(default_factory=dict)
    """Learning rate, steps and batch size: chosen per task, not by the method."""
    metrics: dict[str, float]
    attacks: dict[str, float] = Field(default_factory=dict)
    seconds: Annotated[float, Field(ge=0)]
    """Wall-clock time of unlearning alone, without loading and evaluation."""
    peak_memory_bytes: Annotated[int, Field(ge=0)]
    versions: dict[str, str]
    command: str
    examples: tuple[Example, ...] = ()

    def to_json(self) -> str:
        """Canonical JSON: fixed key order, two spaces, a final newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def read_results(folder: Path, root: Path) -> tuple[list[Result], list[Problem]]:
    """Every committed result under ``folder``, sorted by task, model, method and seed, with problems."""
    by_file, problems = read_result_files(folder, root)
    return sorted(by_file.values(), key=lambda one: (one.task, one.model, one.method, one.seed)), problems


def read_result_files(folder: Path, root: Path) -> tuple[dict[str, Result], list[Problem]]:
    """Every committed result under ``folder`` by its path relative to ``root``, with problems."""
    results: dict[str, Result] = {}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.json")):
        file = path.relative_to(root).as_posix()
        try:
            results[file] = Result.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            message = f"{place}: {first['msg']}"
            hint = "Results are written by `unlearn run --record`; run that again instead of editing."
            problems.append(Problem(file, 1, 1, "bad-result", "error", message, hint))
    return results, problems
