"""What a model is held against on a task: the model before unlearning, and the one that never saw the forget set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reference_impls.measuring.comparison import compare
from reference_impls.toolkit import Evaluation, LanguageModel, Splits, Task, UnlearnedModel


@dataclass(frozen=True)
class Yardstick:
    """A task's data, and the models to compare with if it ships any."""

    task: Task
    splits: Splits
    target: LanguageModel | None = None
    retrained: LanguageModel | None = None
    kept: Mapping[str, Sequence[float]] | None = None
    """What the evaluation of the retrained model on these splits kept for comparisons."""

    def measure(self, model: UnlearnedModel) -> Evaluation:
        """The task's metrics of a model, and how far it is from the retrained one."""
        found = self.task.evaluate(model, self.splits, self.kept)
        if self.target is None or self.retrained is None:
            return found
        apart = compare(model, self.target, self.retrained, self.splits, self.task.max_new_tokens)
        return replace(found, metrics=found.metrics | apart)
