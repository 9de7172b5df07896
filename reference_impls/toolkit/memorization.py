"""How much of its texts a model knows by heart."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel


@torch.inference_mode()
def memorization_accuracy(model: LanguageModel, pairs: Sequence[Pair]) -> float:
    """Mean MA over the answers: how often the next token is the most likely one."""
    values = []
    for start in range(0, len(pairs), model.batch_size):
        (out,) = model.token_logits(model.encode(pairs[start : start + model.batch_size]))
        values += out.mean_by_sequence((out.logits.argmax(dim=1) == out.targets).float()).tolist()
    return float(sum(values) / len(values))
