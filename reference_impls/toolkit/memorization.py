"""How much of its texts a model knows by heart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits


def memorization_accuracies(out: TokenLogits) -> Tensor:
    """(B,) MA of each answer: how often its next token is the most likely one."""
    return out.mean_by_sequence((out.logits.argmax(dim=1) == out.targets).float())


@torch.inference_mode()
def memorization_accuracy(model: LanguageModel, pairs: Sequence[Pair]) -> float:
    """The mean of :func:`memorization_accuracies`."""
    values = []
    for batch in model.encoded(pairs):
        (out,) = model.token_logits(batch)
        values += memorization_accuracies(out).tolist()
    return float(sum(values) / len(values))
