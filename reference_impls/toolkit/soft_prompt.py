"""A soft prompt: vectors in front of every text, where tokens' embeddings would stand, that can be trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import architecture
from reference_impls.toolkit.language_model import LanguageModel


@dataclass
class SoftPrompted(LanguageModel):
    """A language model that reads (k, d) vectors before every text; its weights are shared with whom it was made of."""

    vectors: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    """(k, d)."""

    @classmethod
    def of(cls, model: LanguageModel, vectors: Tensor) -> SoftPrompted:
        """``model`` behind (k, d) vectors; where it reads some already, those come after them."""
        if isinstance(model, SoftPrompted):
            vectors = torch.cat([vectors, model.vectors])
        return cls(model.model, model.tokenizer, model.max_length, model.batch_size, vectors=vectors)

    @property
    def read_before(self) -> int:
        """The k vectors."""
        return len(self.vectors)

    def _behind(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """(B, k + L) what the model reads: the vectors, then the tokens."""
        read = self.model.get_input_embeddings()(input_ids)
        vectors = self.vectors.to(read.dtype).expand(len(read), -1, -1)
        seen = attention_mask.new_ones(len(read), len(self.vectors))
        return {
            "inputs_embeds": torch.cat([vectors, read], dim=1),
            "attention_mask": torch.cat([seen, attention_mask], dim=1),
        }

    def _backbone(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = architecture.hidden_states(self.model, **self._behind(input_ids, attention_mask))
        return states[:, len(self.vectors) :]

    def _logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(**self._behind(input_ids, attention_mask)).logits
        return logits[:, len(self.vectors) :]

    def _opened(self, input_ids: Tensor, past: Any) -> dict[str, Tensor]:
        return super()._opened(input_ids, past) if past else self._behind(input_ids, torch.ones_like(input_ids))

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        out: Tensor = self.model.generate(**self._behind(input_ids, attention_mask), **options)
        return out
