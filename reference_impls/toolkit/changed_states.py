"""A language model inside which states are others: what some of its parts give is changed at every token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.mlp_memory import Change, changed_output


@dataclass
class ChangedStates(LanguageModel):
    """Another model's weights, read and asked through it; outside of its calls the parts are as they were."""

    changes: Mapping[nn.Module, Change] = field(default_factory=dict)
    """What is done to the (..., d) output of which part."""
    _within: bool = False

    @classmethod
    def of(cls, model: LanguageModel, changes: Mapping[nn.Module, Change]) -> ChangedStates:
        """``model`` with its parts' outputs changed; what is added to ``changes`` later counts from then on."""
        return cls(model.model, model.tokenizer, model.max_length, model.batch_size, changes=changes)

    def _backbone(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        with self._changed():
            return super()._backbone(input_ids, attention_mask)

    def _logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        with self._changed():
            return super()._logits(input_ids, attention_mask)

    def _read_on(self, input_ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        with self._changed():
            return super()._read_on(input_ids, past)

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        with self._changed():
            return super()._decoded(input_ids, attention_mask, **options)

    @contextmanager
    def _changed(self) -> Iterator[None]:
        if self._within:  # one of these calls another
            yield
            return
        self._within = True
        try:
            with ExitStack() as stack:
                for part, change in self.changes.items():
                    stack.enter_context(changed_output(part, change))
                yield
        finally:
            self._within = False
