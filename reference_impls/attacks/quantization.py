r"""Quantization.

Round the unlearned weights to 8 or 4 bits. Unlearning moves each weight a little; where that little is less than the
step of the grid, the rounded model is the rounded *target*, and what was forgotten is back.

## Procedure

Zhang et al. (section 4): for every group of weights, with $N$ bits,

$$
Q(w) = \Delta \cdot \mathrm{Round}\!\left(\frac{w}{\Delta}\right),
\qquad \Delta = \frac{\max |w|}{2^{N-1} - 1},
$$

applied to all linear layers of the blocks. Embeddings, norms and the output head keep their precision, as is usual.

## Symbols

- $w$: a weight; its group is the row of its matrix (all that goes into one output).
- $\Delta$: the grid's step; the larger the largest weight of the group, the coarser the grid.

## Facts

- Two weights that differ by less than $\Delta$ end on the same or on neighbouring grid points: for a change of
  $\delta \ll \Delta$ the chance of crossing a border is $|\delta| / \Delta$.
- Rounding alone moves any model, so the comparison is with the rounded retrained model.
- Next to nothing comes back here, as the results show: a model of a million parameters is unlearned with learning rates
  a hundred times those that the paper used on billions, where it does come back.

## Differences

1. The paper writes $\Delta = \max|w| / 2^{N-1}$ and uses the types of a library (blocks of 64); here the grid is
   symmetric with $2^N - 1$ points, per row, so that the largest weight stays on it.
2. GPTQ and AWQ, which choose the grid with calibration texts, are not tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Attack, LanguageModel, NotApplicableError, Run, Victim, with_weights

BITS = (8, 4)


def round_to_nearest(weight: Tensor, bits: int) -> Tensor:
    r"""(rows, columns) :math:`Q(w)` with one :math:`\Delta` per row.

    Args:
        weight: (rows, columns).
        bits: N, at least 2.
    """
    step = weight.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.where(step > 0, torch.round(weight / step) * step, weight)


def quantized(model: LanguageModel, bits: int) -> LanguageModel:
    """``model`` itself, with the weight matrices of its blocks rounded in place, those of experts included.

    Raises:
        NotApplicableError: it has none.
    """
    matrices = model.matrices()
    if not matrices:
        raise NotApplicableError(f"{type(model.model).__name__} has no weight matrix that is known here")
    with torch.no_grad():
        for weight in matrices:
            weight.copy_(round_to_nearest(weight, bits))
    return model


@dataclass(frozen=True)
class QuantizationAttack(Attack):
    """Round the weights to few bits."""

    paper = "zhang2024your"

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``quantization_8`` and ``quantization_4``: what the rounded models know."""
        return {
            f"quantization_{bits}": victim.knows(
                with_weights(victim.model, lambda weights, bits=bits: quantized(weights, bits))  # type: ignore[misc]
            )
            for bits in BITS
        }
