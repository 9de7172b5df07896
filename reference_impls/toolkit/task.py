"""What a task is: what to forget, what to keep, and how to tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from catalog.model.results import EMBEDDED
from reference_impls.metrics.answers import answer_probability
from reference_impls.metrics.sets import mean
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.evaluation import Evaluation, evaluate
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.splits import Splits
from reference_impls.toolkit.training import Recipe
from reference_impls.toolkit.unlearned_model import UnlearnedModel


class Task(ABC):
    """What to forget and keep."""

    paper: ClassVar[str]
    """Id of the record of the benchmark that the task follows."""
    forgets: ClassVar[str] = ""
    """What it has models forget, as somebody who has the like would say it: a choice of ``unlearn plan``."""
    headline: ClassVar[str] = "forget_probability"
    """The metric that tells most about what a model still knows, which is :meth:`knowledge` of the forget set: across
    the figure, and what attacks try to raise."""
    utility: ClassVar[tuple[str, ...]] = ()
    """The metrics of which the model utility is the harmonic mean, where a task has others than TOFU."""
    name: str
    max_new_tokens: int = 40
    lacking: str = ""
    """What nobody publishes of its data, and what to do about it; a sentence."""
    notes: tuple[str, ...] = ()
    """What people have to know of its data, once :meth:`splits` has been asked."""
    folder: Path
    """Where its checkpoints, recipes and reference evaluation are."""
    model: str = EMBEDDED
    """How records call the model that the checkpoints there were made from."""
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
        return evaluate(model, splits, self.max_new_tokens, retrained)

    def knowledge(self, model: UnlearnedModel, pairs: Sequence[Pair]) -> float:
        """How much a model knows of some pairs' answers, in [0, 1]: what attacks try to raise."""
        return mean(self.known(model, pairs))

    def known(self, model: UnlearnedModel, pairs: Sequence[Pair]) -> list[float]:
        """The same of each pair, of which :meth:`knowledge` is the mean: by default the answer's probability per token.

        Pairs that cannot be asked about may be left out.
        """
        logprobs = model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
        return [answer_probability(values) for values in logprobs]


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
