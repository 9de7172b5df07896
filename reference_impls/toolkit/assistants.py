"""Small models with the same tokenizer beside a large one: made of its first blocks, trained by a method, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from torch import Tensor

from reference_impls.toolkit import architecture
from reference_impls.toolkit.combined import Combined
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.unlearned_model import UnlearnedModel
from reference_impls.toolkit.wrapper import Kept, Wrapped

Offset = TypeVar("Offset", bound="OffsetModel")


def first_blocks(model: LanguageModel, share: float) -> LanguageModel:
    """A copy of a model that has the first ``share`` of its blocks, one at least; its norm and head read the last.

    Raises:
        UnsupportedModelError: the architecture keeps its blocks where they are not found.
    """
    small = model.copy()
    architecture.cut(small.model, max(1, round(share * model.layers)))
    return small


def offset_logits(base: Tensor, plus: Tensor, minus: Tensor, strength: float) -> Tensor:
    r"""(..., V) $z + \gamma\, (z^{+} - z^{-})$, of three (..., V) logits.

    Their probabilities are in proportion to $p\, (p^{+} / p^{-})^\gamma$: what is added to all of a model's logits
    alike makes no difference.

    Args:
        base: $z$.
        plus: $z^{+}$.
        minus: $z^{-}$.
        strength: $\gamma$.
    """
    return base + strength * (plus - minus)


@dataclass
class OffsetModel(Wrapped):
    """An unchanged model whose logits are shifted by how two small ones differ (:func:`offset_logits`)."""

    model: LanguageModel
    plus: LanguageModel
    """Who expects what may be said."""
    minus: LanguageModel
    """Who expects what may not."""
    share: float
    """What part of the model's blocks the small ones have; see :func:`first_blocks`."""
    strength: float

    def rule(self, logits: Sequence[Tensor]) -> Tensor:
        """(..., V) logits of the three together, from those of each."""
        base, plus, minus = logits
        return offset_logits(base, plus, minus, self.strength)

    @cached_property
    def _together(self) -> Combined:
        return Combined.of(self.model, lambda: (self.model, self.plus, self.minus), self.rule)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """All three, whatever is asked."""
        return self._together

    def to_json(self) -> dict[str, Any]:
        """How large the small models are, and how strong they are."""
        return {"share": self.share, "strength": self.strength}

    def tensors(self) -> dict[str, Tensor]:
        """The weights of the small models; tied ones once."""
        return {
            f"{prefix}.{name}": weight.detach()
            for prefix, small in (("plus", self.plus), ("minus", self.minus))
            for name, weight in small.model.named_parameters()
        }

    @classmethod
    def of(cls: type[Offset], model: LanguageModel, kept: Kept) -> Offset:
        """What was kept, around the model again.

        Raises:
            KeyError, TypeError, ValueError: it does not fit this model.
        """
        plus, minus = (first_blocks(model, float(kept.facts["share"])) for _ in range(2))
        kept.put_into(plus.model.named_parameters(), "plus.")
        kept.put_into(minus.model.named_parameters(), "minus.")
        return cls(model, plus, minus, **kept.facts)
