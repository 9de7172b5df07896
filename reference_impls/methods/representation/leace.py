r"""Least-squares concept erasure (LEACE).

Take out of the states of every layer whatever of a concept a linear map could read there, and not a bit more than that
needs. The concept is here what is to be forgotten: whether a text is about it, or about whom of those to forget it is.

## Objective

Belrose et al.: for states $X \in \mathbb R^d$ and a concept $Z \in \mathbb R^k$ with covariances
$\Sigma_{XX}$, $\Sigma_{XZ}$, the solution of

$$
\min_{P, b}\ \mathbb E \lVert P X + b - X \rVert^2
\quad \text{subject to} \quad \mathrm{Cov}(P X + b, Z) = 0
$$

is

$$
r(x) = x - W^{+}\, U U^\top\, W\, (x - \mathbb E X),
\qquad W = (\Sigma_{XX}^{1/2})^{+},
$$

with the left singular vectors $U$ of $W \Sigma_{XZ}$. In *concept scrubbing* it is done in every layer, from the first
to the last, each time with the states that are left by those before.

## Symbols

- $X$: the residual stream behind a block, at all tokens of prompts and answers of both sets.
- $Z$ (`concept`): with `membership` 1 on texts to forget and 0 on others, $k = 1$; with `subject` one entry for each
  subject to forget, which is 1 on its texts.
- `tolerance`: directions with a smaller singular value are left.
- `depth`: where scrubbing begins, as a fraction of the depth; it goes on to the last block.

## Facts

- **No linear probe beats a constant** behind $r$: that is so exactly where the covariance with $Z$ is 0, as the paper
  proves for every convex loss. It holds for the states that it was fitted on, and for linear probes.
- **The covariance of the states decides how little is changed, not whether it works**: with any other invertible matrix
  for $W$ what is left is uncorrelated as well. With $\Sigma_{XX} = I$ and $k = 1$ it is the removal of the direction
  between both means.
- $r$ is a projection, so doing it twice is doing it once; means stay. At most $k$ directions go in each layer.
- Nothing is trained: one pass over both sets for each layer. The weights are as they were, and who has them without
  what is around them has the whole model.
- **What cannot be read linearly can be used all the same**: a model is not linear between its layers. On `authors`,
  where the target gives forget answers a probability of 0.96 and retain answers one of 0.97, erasing `membership`
  leaves 0.95 and 0.97, with linear probes at chance behind every block. Erasing the ten `subject`s leaves 0.73 and
  0.94, nearly all of it by what is done behind the last block (0.76 and 0.94), and 0.63 and 0.86 where no direction is
  too small.
- The singular values are small where a concept is rare: a subject's is at most the root of its share of all tokens.

## Differences

1. Made for attributes such as gender, as a study of what a model uses them for; what is to be forgotten in their place
   is ours, with `subject` in particular.
2. The released code scrubs what norms give, before attention and before MLPs. Here the residual stream behind blocks.
3. It also shrinks the covariance towards the identity by what random matrices say, and mixes $r$ with the orthogonal
   projection where the variance would grow. Here the covariance has a thousandth of its mean diagonal added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    ChangedStates,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    with_ridge,
)


@dataclass(frozen=True)
class Eraser:
    """$r$: ``x - left right (x - mean)``, with (d,), (d, k) and (k, d)."""

    mean: Tensor
    left: Tensor
    right: Tensor

    @classmethod
    def fit(cls, mean: Tensor, covariance: Tensor, cross: Tensor, tolerance: float) -> Eraser:
        r"""From $\mathbb E X$ (d,), $\Sigma_{XX}$ (d, d), which can be inverted, and $\Sigma_{XZ}$ (d, k)."""
        values, vectors = torch.linalg.eigh(covariance)
        found, singular, _ = torch.linalg.svd((vectors / values.sqrt()) @ vectors.T @ cross, full_matrices=False)
        concept = found[:, singular > tolerance]
        return cls(
            mean, (vectors * values.sqrt()) @ vectors.T @ concept, concept.T @ (vectors / values.sqrt()) @ vectors.T
        )

    def __call__(self, states: Tensor) -> Tensor:
        """(..., d) of (..., d)."""
        mean, left, right = (one.to(states.device, torch.float32) for one in (self.mean, self.left, self.right))
        return (states - (states.float() - mean) @ right.T @ left.T).to(states.dtype)


def concepts(data: UnlearningData, concept: str) -> list[tuple[Pair, int | None]]:
    """Each pair with the entry of $Z$ that is 1 there, if any."""
    kinds = sorted({pair.subject for pair in data.forget}) if concept == "subject" else []
    forget = [(pair, kinds.index(pair.subject) if kinds else 0) for pair in data.forget]
    return [*forget, *((pair, None) for pair in data.retain)]


def fitted(model: LanguageModel, layer: int, told: Sequence[tuple[Pair, int | None]], tolerance: float) -> Eraser:
    """The eraser of the states behind a block, from all tokens of the pairs."""
    kinds = 1 + max(kind for _, kind in told if kind is not None)
    size = model.width + kinds
    total, moment = torch.zeros(size, dtype=torch.double), torch.zeros(size, size, dtype=torch.double)
    count = 0
    for start in range(0, len(told), model.batch_size):
        pairs, which = zip(*told[start : start + model.batch_size], strict=True)
        batch = model.encode(pairs)
        (states,) = model.outputs(batch, [model.blocks[layer]])
        known = torch.tensor([[kind == one for kind in range(kinds)] for one in which]).to(states)
        rows = torch.cat([states, known[:, None].expand(-1, states.shape[1], -1)], dim=2)
        rows = rows[batch.attention_mask.bool()].double().cpu()
        total, moment, count = total + rows.sum(dim=0), moment + rows.T @ rows, count + len(rows)
    mean = total / count
    covariance = moment / count - torch.outer(mean, mean)
    width = model.width
    return Eraser.fit(mean[:width], with_ridge(covariance[:width, :width]), covariance[:width, width:], tolerance)


@dataclass(frozen=True)
class LEACE(Method):
    """Fit and put in place one eraser after another."""

    paper = "belrose2023leace"
    acts_on = "activations"
    retain = "needed"
    trains = "nothing"
    parts = ("blocks",)

    concept: str = hyperparameter(
        "subject", "Z, what is erased", source="here; the paper's are attributes", choices=("membership", "subject")
    )
    tolerance: float = hyperparameter(
        0.01,
        "smallest singular value that counts",
        source="released code",
        above=0,
        trade_off=(0.001, 0.003, 0.01, 0.02),
    )
    depth: float = hyperparameter(
        0.0,
        "where scrubbing begins, as a fraction of the depth",
        source="paper, which scrubs all layers",
        minimum=0,
        maximum=1,
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> Scrubbed:
        """From the first block to the last, with those before it in place."""
        scrubbed, told = Scrubbed(model, {}), concepts(data, self.concept)
        for layer in range(model.layer_at(self.depth), model.layers):
            scrubbed.erasers[layer] = fitted(scrubbed.changed(), layer, told, self.tolerance)
            run.progress("scrubbing", layer + 1, model.layers)
        return scrubbed

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Scrubbed:
        """The model with the erasers that were fitted."""
        layers = [int(layer) for layer in kept.facts["layers"]]
        parts = ("mean", "left", "right")
        return Scrubbed(
            model, {layer: Eraser(*(kept.tensors[f"{layer}.{part}"] for part in parts)) for layer in layers}
        )


@dataclass
class Scrubbed(Wrapped):
    """The unchanged model, behind some blocks of which a concept is erased."""

    model: LanguageModel
    erasers: dict[int, Eraser]

    def changed(self) -> LanguageModel:
        """The model, with what the erasers do to it."""
        return ChangedStates.of(self.model, {self.model.blocks[layer]: one for layer, one in self.erasers.items()})

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The scrubbed model, whatever is asked."""
        return self._speaker

    @cached_property
    def _speaker(self) -> LanguageModel:
        return self.changed()

    def to_json(self) -> dict[str, Any]:
        """Behind which blocks."""
        return {"layers": list(self.erasers)}

    def tensors(self) -> dict[str, Tensor]:
        """The erasers."""
        return {
            f"{layer}.{name}": tensor.float().contiguous()
            for layer, one in self.erasers.items()
            for name, tensor in vars(one).items()
        }
