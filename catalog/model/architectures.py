"""Which method runs on which architecture, as ``unlearn architectures`` found: ``models/architectures.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from catalog.base.manifest import found
from catalog.model.results import read_json
from catalog.parsing.problems import Problem

Outcome = Literal["runs", "refused", "fails"]


class Tried(BaseModel):
    """One method on one architecture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    """Whether it ran, was saved and gave the same numbers when it was loaded again; or was refused in a line."""
    said: str = ""
    """Why it was refused, or what went wrong."""
    notes: tuple[str, ...] = ()
    """What it said of what it left alone."""


class Architecture(BaseModel):
    """One family of models, and what ran on a small one with random weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    """Its class in ``transformers``: ``LlamaForCausalLM``."""
    methods: dict[str, Tried]

    def count(self, outcome: Outcome) -> int:
        """How many methods came out so."""
        return sum(attempt.outcome == outcome for attempt in self.methods.values())


class Architectures(BaseModel):
    """All that were tried, by the name that ``transformers`` gives them in a model's configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    versions: dict[str, str]
    families: dict[str, Architecture]

    def to_json(self) -> str:
        """Canonical JSON."""
        return self.model_dump_json(indent=1, exclude_defaults=True) + "\n"

    def refusing(self, method: str) -> dict[str, str]:
        """By family, why it refuses a method."""
        tried = {name: family.methods.get(method) for name, family in self.families.items()}
        return {name: attempt.said for name, attempt in tried.items() if attempt and attempt.outcome != "runs"}

    def trying(self, method: str) -> int:
        """On how many families a method was tried."""
        return sum(method in family.methods for family in self.families.values())


_ARCHITECTURES = TypeAdapter(Architectures)


def read_architectures(reference_impls: Path, root: Path) -> tuple[Architectures | None, list[Problem]]:
    """What was found, with problems; None if nothing was tried."""
    path = next(iter(found(reference_impls, "models/architectures.json")), None)
    if path is None:
        return None, []
    file = path.relative_to(root).as_posix()
    contents, problems = read_json(path, file, _ARCHITECTURES, "bad-architectures", "`unlearn architectures`")
    return (contents[0] if contents else None), problems
