r"""Metamorphosis representation projection (MRP).

What a projection has taken out of a state, nothing behind it can bring back. So the weights stay, and behind a few
blocks a few directions are taken out of every state: those without which the answers to forget become unlikely, and the
others do not. Each request adds directions of its own to those of the requests before.

## Objective

Wu et al. train, behind each chosen block $l$, the rows of $W_l$ alone:

$$
h_{l,t} \leftarrow \left( I - Q_l^\top Q_l \right) h_{l,t},
\qquad
\operatorname{span} Q_l = \operatorname{span}\, [\, W_l^{(1)}; \dots; W_l^{(s-1)}; W_l \,],
\qquad
\mathcal L = -L(\mathcal D_f) + \alpha\, L(\mathcal D_r) .
$$

## Symbols

- $h_{l,t}$: the residual stream behind block $l$ at any token $t$.
- $W_l \in \mathbb R^{r \times d}$ (`dimension` rows): what the request $s$ adds; $W_l^{(1)}, \dots$: what the requests
  before it added, which stays as it is. $Q_l$: orthonormal rows, by a QR decomposition that gradients go through.
- $L$: mean negative log-likelihood of answers; $\alpha$ (`retain_weight`).
- Blocks: `blocks` of them, drawn at the first request from all but the last.

## Facts

- **It is a projection, so it has no inverse, and twice is once.** The rows of all requests make one span, in whatever
  order they came; none can give back what another has taken, and what was forgotten first stays taken out while the
  next learns. After $s$ requests $s \cdot r$ of the $d$ directions are gone from every state, which is what use pays.
- The loss depends on the span of $W_l$ alone: its gradient is orthogonal to all rows of $W_l$ and to those before.
- $-L(\mathcal D_f)$ has no floor, but few directions bound what can be done to it.
- **Who has the weights takes the projection off** and has the model as it was: what relearning cannot undo, leaving out
  a module does. The weights are the same to the bit.
- What later blocks make of the same token's embedding and of other tokens is not projected but behind the next chosen
  block, so that a direction can be written anew.
- **On `authors`, where states have 128 entries,** two directions of each block leave 0.80 of the forget answers (0.96
  before) at the rate 1; eight with $\alpha = 2$ leave 0.51, and 0.94 of the retain answers (0.98), with use at 0.61 of
  0.65. In four requests of two directions each what was asked for so far is at 0.51, 0.32, 0.34 and 0.31 after each,
  and retain answers go to 0.97, 0.86, 0.86 and 0.85: nothing comes back, and most is paid at the second.
- **Relearning does not undo it**: after a tenth of the forget set in 20 steps the rest is at 0.46, where what `rmu` had
  brought to 0.37 is back at 0.75.

## Differences

1. Written from the released code; the paper's equations were not available to compare.
2. The code starts $W_l$ at the principal directions of retain states less their projection on the span of all forget
   states. With more tokens than entries that span is everything, and what is left is the rounding of 16 bits; so here
   the start is drawn at random.
3. The code begins the rows before the first request with one of zeros, for which its decomposition takes out the first
   entry of all states; here there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.toolkit import (
    Batch,
    ChangedStates,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    mean_nll,
)


def orthonormal(rows: Tensor) -> Tensor:
    """(k, d) orthonormal rows with the span of (k, d) independent ones."""
    columns: Tensor = torch.linalg.qr(rows.T).Q
    return columns.T


@dataclass(frozen=True)
class Projection:
    """Takes the span of (k, d) rows, earlier ones and those that learn, out of states."""

    earlier: Tensor
    learning: Tensor

    @property
    def rows(self) -> Tensor:
        """(k, d) $Q$."""
        return orthonormal(torch.cat([self.earlier, self.learning]))

    def __call__(self, states: Tensor) -> Tensor:
        """(..., d) of (..., d)."""
        rows = self.rows
        return (states.float() - states.float() @ rows.T @ rows).to(states.dtype)


@dataclass(frozen=True)
class MRP(Method):
    """Learn directions to take out, beside those of earlier requests."""

    paper = "wu2025reliable"
    acts_on = "activations"
    retain = "needed"
    trains = "adapters"
    parts = ("blocks",)
    continues = True
    published = {
        "learning_rate": 2e-4,
        "epochs": 2,
        "batch_size": 5,
        "source": "released code, plain descent, Llama-2-7B",
    }

    retain_weight: float = hyperparameter(
        1.2, "α, weight of the retain loss", source="code", minimum=0, trade_off=(1.2, 2.0, 5.0, 10.0)
    )
    dimension: int = hyperparameter(2, "r, directions for each request and block", source="code", minimum=1)
    blocks: int = hyperparameter(2, "behind how many blocks", source="code", minimum=1)

    def unlearn(self, model: LanguageModel | Projected, data: UnlearningData, run: Run) -> Projected:
        """Serve a request, after those that ``model`` has served already."""
        before = model if isinstance(model, Projected) else self.untouched(model, run)
        projections = {
            layer: Projection(rows, nn.Parameter(orthonormal(torch.randn(self.dimension, rows.shape[1])).to(rows)))
            for layer, rows in before.rows.items()
        }

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            return self.retain_weight * mean_nll(retain) - mean_nll(forget)

        learning = [one.learning for one in projections.values()]
        run.minimize(loss, changed(before.model, projections), data, learning, optimizer=torch.optim.SGD)
        return Projected(before.model, {layer: one.rows.detach() for layer, one in projections.items()})

    def untouched(self, model: LanguageModel, run: Run) -> Projected:
        """Drawn blocks, with nothing taken out behind them."""
        candidates = range(max(1, model.layers - 1))
        drawn = sorted(run.rng.sample(candidates, min(self.blocks, len(candidates))))
        return Projected(model, {layer: torch.zeros(0, model.width, device=model.device) for layer in drawn})

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Projected:
        """The model with all directions that were taken out."""
        return Projected(model, {int(layer): rows.to(model.device) for layer, rows in kept.tensors.items()})


def changed(model: LanguageModel, projections: Mapping[int, Projection]) -> ChangedStates:
    """The model with states projected behind some blocks."""
    return ChangedStates.of(model, {model.blocks[layer]: one for layer, one in projections.items()})


@dataclass
class Projected(Wrapped):
    """The unchanged model, behind some blocks of which directions are taken out of all states."""

    model: LanguageModel
    rows: Mapping[int, Tensor]
    """By block, (k, d) orthonormal rows."""

    @cached_property
    def projecting(self) -> LanguageModel:
        """The model, with what is done to its states."""
        return changed(self.model, {layer: Projection(rows, rows[:0]) for layer, rows in self.rows.items()})

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The projecting model, whatever is asked."""
        return self.projecting

    def to_json(self) -> dict[str, Any]:
        """How many directions are taken out behind each block."""
        return {"directions": {str(layer): len(rows) for layer, rows in self.rows.items()}}

    def tensors(self) -> dict[str, Tensor]:
        """The directions."""
        return {str(layer): rows.float().contiguous() for layer, rows in self.rows.items()}
