"""What a meta-evaluation measured: every task's ``pools.json``, as ``unlearn bench metrics`` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from catalog.base.manifest import found
from catalog.model.quantities import Finite, Whole
from catalog.model.results import read_json
from catalog.parsing.problems import Problem

Metrics = dict[str, Finite]


class PoolModel(BaseModel):
    """A model of which it is known whether it knows the forget set, and what every metric says of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    knew: bool
    """Whether it was trained on the forget set's facts."""
    data: str
    """What it was trained on instead of, or as, the forget set."""
    steps: Whole
    seed: Whole
    metrics: Metrics


class Shaken(BaseModel):
    """A model that is not to know, and the same after something that should bring nothing new about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    """``retrained``, or the method that unlearned it."""
    before: Metrics
    relearned: Metrics
    """After a pass over the forget set."""
    quantized: Metrics
    """After rounding its weights to four bits."""


class Pools(BaseModel):
    """Two pools of models, and models that were shaken, of one task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    seconds: Annotated[Finite, Field(ge=0)]
    versions: dict[str, str]
    models: tuple[PoolModel, ...]
    shaken: tuple[Shaken, ...]

    def to_json(self) -> str:
        """Canonical JSON."""
        return self.model_dump_json(indent=1) + "\n"


_POOLS = TypeAdapter(Pools)


def read_pools(reference_impls: Path, root: Path) -> tuple[Mapping[str, Pools], list[Problem]]:
    """By task, with problems."""
    pools: dict[str, Pools] = {}
    problems: list[Problem] = []
    for path in found(reference_impls, "tasks/*/pools.json"):
        task = path.parent.name.replace("_", "-")
        contents, wrong = read_json(
            path, path.relative_to(root).as_posix(), _POOLS, "bad-pools", "`unlearn bench metrics`"
        )
        problems += wrong
        if contents:
            pools[task] = contents[0]
    return pools, problems
