"""Tasks: what to forget, what to keep, and how to tell.

Each folder is one task, with the checkpoints made for it; :mod:`reference_impls.tasks.files` makes a task of
files of one's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from reference_impls.data import Pair, UnlearningData
from reference_impls.language_model import LanguageModel


@dataclass(frozen=True)
class Splits:
    """The data of a task. Methods see ``forget``, ``retain`` and ``anchors``; evaluation sees all."""

    forget: tuple[Pair, ...]
    retain: tuple[Pair, ...]
    retain_probe: tuple[Pair, ...] = ()
    """The part of the retain set that evaluation asks about; all of it if empty."""
    holdout: tuple[Pair, ...] = ()
    """Like the forget set, but never trained on."""
    facts: tuple[Pair, ...] = ()
    """General knowledge that has nothing to do with the forget set."""
    anchors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def data(self) -> UnlearningData:
        """What a method is given."""
        return UnlearningData(self.forget, self.retain, self.anchors)

    def probes(self) -> dict[str, tuple[Pair, ...]]:
        """What evaluation asks about, by the name that its metrics begin with; empty splits left out."""
        named = {
            "forget": self.forget,
            "retain": self.retain_probe or self.retain,
            "holdout": self.holdout,
            "facts": self.facts,
        }
        return {name: pairs for name, pairs in named.items() if pairs}


class Task(ABC):
    """What to forget and keep."""

    paper: ClassVar[str]
    """Id of the record of the benchmark that the task follows."""
    name: str
    max_new_tokens: int = 40
    folder: Path
    """Where its checkpoints, recipes and reference evaluation are."""

    @abstractmethod
    def splits(self, model: LanguageModel) -> Splits:
        """The task's data in the format of ``model``."""
