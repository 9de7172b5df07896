"""A language model to which prompts look different inside: a part's output is changed at their tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.toolkit.architecture import states_of, with_states
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import IGNORE, Encoded, TokenLogits
from reference_impls.toolkit.padding import concatenate

Change = Callable[[Tensor, Tensor], Tensor]
"""From (B, L, d) of a part's output and (B, L), True at the tokens of prompts, to (B, L, d)."""


def _same(output: Tensor, places: Tensor) -> Tensor:
    return output


@dataclass
class ChangedPrompt(LanguageModel):
    """Another model's weights, read and asked through it, with a part's output changed wherever a prompt is read.

    Scores and generation see the same change; answers are not touched. Outside of these calls the part is as it was.
    """

    inner: LanguageModel | None = None
    """Who is asked."""
    part: nn.Module = field(default_factory=nn.Identity)
    """One of its modules."""
    change: Change = _same

    @classmethod
    def of(cls, inner: LanguageModel, part: nn.Module, change: Change) -> ChangedPrompt:
        """``inner``, with ``change`` at the output of ``part``."""
        model = cls(inner.model, inner.tokenizer, inner.max_length, inner.batch_size)
        model.inner, model.part, model.change = inner, part, change
        return model

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        """See :class:`LanguageModel`."""
        read = concatenate(batches, self.marks.padding)
        with self._changed((read.labels == IGNORE) & (read.attention_mask == 1)):
            return self._asked.token_logits(*batches)

    def _read_on(self, input_ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        with self._changed(torch.full_like(input_ids, past is None, dtype=torch.bool)):
            return self._asked._read_on(input_ids, past)

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        with self._changed(attention_mask == 1):
            return self._asked._decoded(input_ids, attention_mask, **options)

    @property
    def read_before(self) -> int:
        """What the one who is asked reads first."""
        return self._asked.read_before

    @property
    def _asked(self) -> LanguageModel:
        assert self.inner is not None
        return self.inner

    @contextmanager
    def _changed(self, places: Tensor) -> Iterator[None]:
        length = places.shape[1]

        def hook(module: nn.Module, given: Any, out: Any) -> Any:
            states = states_of(out)
            if states.shape[1] < length:
                return out  # it goes on from what it has kept of the prompt
            start = min(self.read_before, states.shape[1] - length)  # embeddings of tokens have nothing before them
            before, prompt, after = states.split([start, length, states.shape[1] - start - length], dim=1)
            states = torch.cat([before, self.change(prompt, places), after], dim=1)
            return with_states(out, states)

        handle = self.part.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()
