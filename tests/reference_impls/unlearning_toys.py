"""Small things that several tests share: the hand-computed toy, formulas in numpy, and a few invented pairs.

Toy T: two answer tokens of a forget sequence and one of a retain sequence, over three words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from reference_impls.toolkit import Pair, TokenLogits, UnlearningData

FORGET_LOGITS = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
FORGET_TARGETS = [0, 1]
FORGET_REFERENCE = [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
RETAIN_LOGITS = [[0.0, 0.0, 1.0]]
RETAIN_TARGETS = [2]
RETAIN_REFERENCE = [[0.0, 0.0, 2.0]]

SEASONS = ("spring", "summer", "autumn", "winter")
NAMES = ("Ana Lund", "Bo Reyes", "Cy Okafor", "Dee Moss", "Eli Vance", "Fay Quist", "Gus Tandy", "Hal Ibsen")


def token_logits(
    rows: Sequence[Sequence[float]], targets: Sequence[int], sequence: Sequence[int] | None = None
) -> TokenLogits:
    """Logits as a model would have given them, with gradients; by default all tokens are of one sequence."""
    place = list(sequence or [0] * len(targets))
    return TokenLogits(
        torch.tensor(rows, requires_grad=True), torch.tensor(targets), torch.tensor(place), max(place) + 1
    )


def softmax(rows: Any) -> np.ndarray:
    """Probabilities, in numpy."""
    weights = np.exp(np.asarray(rows, dtype=np.float64) - np.max(rows, axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def losses(rows: Any, targets: Sequence[int]) -> np.ndarray:
    """Negative log-likelihood of each target, in numpy."""
    return -np.log(softmax(rows)[np.arange(len(targets)), list(targets)])


def question(name: str) -> str:
    """A question on one of :data:`NAMES`."""
    return f"Question: When was {name} born?\nAnswer:"


def invented_pairs() -> list[Pair]:
    """Eight pairs of different lengths, each on its own person."""
    return [
        Pair(
            question(name),
            f" {name} was born in {SEASONS[row % 4]}{' of a year of storms' * (row % 3)}.",
            subject=name,
        )
        for row, name in enumerate(NAMES)
    ]


def invented_data() -> UnlearningData:
    """Three pairs to forget, five to keep."""
    pairs = invented_pairs()
    return UnlearningData(tuple(pairs[:3]), tuple(pairs[3:]))


def fingerprint(module: torch.nn.Module) -> str:
    """A hash of all weights, names included."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
