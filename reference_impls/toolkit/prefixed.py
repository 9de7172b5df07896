"""A language model that reads the same few words before whatever it is given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import IGNORE, Encoded, TokenLogits


@dataclass
class Prefixed(LanguageModel):
    """Another model, asked through it, with a text before every text; one voice of several, or a teacher.

    The words stand behind the token that begins a text, where there is one. Where the model has no room for all of
    them, the first ones are left out.
    """

    inner: LanguageModel | None = None
    """Who is asked."""
    words: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    """(k,) token ids."""

    @classmethod
    def of(cls, inner: LanguageModel, text: str) -> Prefixed:
        """``inner`` behind a text."""
        ids = inner.tokenizer(text, add_special_tokens=False)["input_ids"]
        words = torch.tensor(ids, dtype=torch.long, device=inner.device)
        return cls(inner.model, inner.tokenizer, inner.max_length, inner.batch_size, inner=inner, words=words)

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        """See :class:`LanguageModel`; the logits are at the same places as without the words."""
        return self._asked.token_logits(*map(self._behind, batches))

    def _behind(self, batch: Encoded) -> Encoded:
        if not len(batch):
            return batch
        ids, mask = self._read(batch.input_ids, batch.attention_mask)
        unsupervised = torch.full_like(ids[:, batch.labels.shape[1] :], IGNORE)
        # Prompts are not supervised, and neither are the words: where among them these stand makes no difference.
        return replace(batch, input_ids=ids, attention_mask=mask, labels=torch.cat([unsupervised, batch.labels], dim=1))

    def _read_on(self, input_ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        read = input_ids if past is not None else self._read(input_ids, torch.ones_like(input_ids))[0]
        return self._asked._read_on(read, past)

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        return self._asked._decoded(*self._read(input_ids, attention_mask), **options)

    def _read(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, k + L) ids and mask with the words in each row, before its text but behind what begins a text."""
        length = input_ids.shape[1]
        room = len(self.words) if self.context is None else max(0, self.context - length)
        words = self.words[max(0, len(self.words) - room) :].to(input_ids.device)
        places = attention_mask.argmax(dim=1)
        first = input_ids.gather(1, places[:, None])[:, 0]
        places = places + (first == (-1 if self.marks.start is None else self.marks.start))
        seen = torch.ones_like(words)

        def put(rows: Tensor, between: Tensor) -> Tensor:
            each = zip(rows, places.tolist(), strict=True)
            return torch.stack([torch.cat([row[:place], between, row[place:]]) for row, place in each])

        return put(input_ids, words), put(attention_mask, seen)

    @property
    def _asked(self) -> LanguageModel:
        assert self.inner is not None
        return self.inner
