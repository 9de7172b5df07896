"""Attention that looks less sharply: the same weights at another temperature."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reference_impls.toolkit import architecture
from reference_impls.toolkit.language_model import LanguageModel


@contextmanager
def smoothed(model: LanguageModel, temperature: float, shallow: float = 0.0, deep: float = 1.0) -> Iterator[None]:
    r"""While this lasts, some blocks of a model attend with $\mathrm{softmax}(s / \tau)$, not $\mathrm{softmax}(s)$.

    What is masked stays so: scores are divided before the mask is added to them.

    Args:
        model: whose weights stay as they are.
        temperature: $\tau > 0$; above 1 all visible tokens come nearer to counting alike.
        shallow: the first block that does so, as a fraction of the depth.
        deep: the last.

    Raises:
        UnsupportedModelError: no attention is found in these blocks, or none with a factor on its scores.
    """
    chosen = range(model.layer_at(shallow), model.layer_at(deep) + 1)
    attentions = architecture.attentions(model.model, chosen)
    before = [attention.scaling for attention in attentions]
    try:
        for attention, factor in zip(attentions, before, strict=True):
            attention.scaling = factor / temperature
        yield
    finally:
        for attention, factor in zip(attentions, before, strict=True):
            attention.scaling = factor
