"""Tasks: what to forget, what to keep, and how to tell.

Each folder is one task, with the checkpoints made for it; :mod:`reference_impls.tasks.files` makes a task of
files of one's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from reference_impls.data import Pair, UnlearningData
from reference_impls.language_model import LanguageModel, UnlearnedModel

if TYPE_CHECKING:
    from reference_impls.evaluation import Evaluation
    from reference_impls.training import Recipe


@dataclass(frozen=True)
class Splits:
    """The data of a task. Methods see ``forget``, ``retain`` and ``anchors``; evaluation sees all."""

    forget: tuple[Pair, ...]
    retain: tuple[Pair, ...]
    retain_probe: tuple[Pair, ...] = ()
    """The part of the retain set that evaluation asks about; all of it if empty."""
    holdout: tuple[Pair, ...] = ()
    """Like the forget set, but never trained on."""
    members: tuple[Pair, ...] = ()
    """The part of the forget set that the holdout is like; all of it if empty."""
    facts: tuple[Pair, ...] = ()
    """General knowledge that has nothing to do with the forget set."""
    anchors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def part(self, start: float, end: float) -> Splits:
        """The same with a part of the forget set, from one share of its subjects to another, in their order.

        What one subject is about stays together. The rest of the forget set is neither forgotten nor kept.
        """
        subjects = list(dict.fromkeys(map(_about, self.forget)))
        first, last = round(start * len(subjects)), round(end * len(subjects))
        chosen = set(subjects[first : max(last, first + 1)])
        forget, members = (
            tuple(pair for pair in pairs if _about(pair) in chosen) for pairs in (self.forget, self.members)
        )
        return replace(self, forget=forget, members=members)

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


def _about(pair: Pair) -> str:
    return pair.subject or pair.prompt or pair.answer


class Task(ABC):
    """What to forget and keep."""

    paper: ClassVar[str]
    """Id of the record of the benchmark that the task follows."""
    headline: ClassVar[str] = "forget_probability"
    """The metric that tells most about what a model still knows, which is :meth:`knowledge` of the forget set: across
    the figure, and what attacks try to raise."""
    name: str
    max_new_tokens: int = 40
    folder: Path
    """Where its checkpoints, recipes and reference evaluation are."""
    forgetting: ClassVar[tuple[str, ...]] = ("forget_probability", "forget_rouge", "forget_truth_ratio")
    """The metrics whose distance to the retrained model a search for a recipe makes small."""

    @abstractmethod
    def splits(self, model: LanguageModel) -> Splits:
        """The task's data in the format of ``model``."""

    def evaluate(
        self, model: UnlearnedModel, splits: Splits, retrained: Mapping[str, Sequence[float]] | None = None
    ) -> Evaluation:
        """Measure a model; by default as TOFU does.

        Args:
            model: what to measure.
            splits: the task's data, in the model's format.
            retrained: what the evaluation of the retrained model kept (``Evaluation.kept``); without it, metrics that
                compare with that model are left out.
        """
        from reference_impls.evaluation import evaluate

        return evaluate(model, splits, self.max_new_tokens, retrained)

    def knowledge(self, model: UnlearnedModel, pairs: Sequence[Pair]) -> float:
        """How much a model knows of some pairs' answers, in [0, 1]: what attacks try to raise.

        By default the mean of their probability per token.
        """
        from reference_impls.metrics.answers import answer_probability
        from reference_impls.metrics.sets import mean

        logprobs = model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
        return mean([answer_probability(values) for values in logprobs])


class EmbeddedTask(Task):
    """A task that ships checkpoints: a base model, fine-tuned with and without the forget set."""

    pretraining_recipe: ClassVar[Recipe]
    finetuning_recipe: ClassVar[Recipe]

    @abstractmethod
    def pretraining(self, model: LanguageModel) -> list[Pair]:
        """What the base model is trained on: nothing of the forget, retain or holdout set."""

    @abstractmethod
    def finetuning(self, model: LanguageModel, *, forget: bool) -> list[Pair]:
        """What the target (``forget=True``) or the retrained model is fine-tuned on, starting from the base model."""
