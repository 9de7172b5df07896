r"""Spectral interference-free training (SIFT).

Forgetting and keeping want to change the same matrix, each along its own singular directions. Where the two pull
against each other, both sets of directions are made orthogonal to one another before they become one step; where they
do not, the step is that of the optimizer Muon. Which matrices and which steps that concerns is asked anew each time.

## Objective

Huang et al., as released: for a weight matrix $W$ and each side $o$, forget or retain, with the gradient
$G_o = \nabla_W \mathcal L_o$,

$$
B_o \leftarrow \beta B_o + G_o, \qquad M_o = G_o + \beta B_o, \qquad M_o \approx U_o \Sigma_o V_o^\top ,
$$

$$
W \leftarrow W - \eta\, s\, D, \qquad
D = \begin{cases}
\operatorname{msign}[U_r \; U_f]\; \operatorname{msign}[V_r \; V_f]^\top & \text{if } \cos(M_f, M_r) < \varepsilon \\
\operatorname{msign}(M_f + M_r) & \text{else,}
\end{cases}
$$

with the losses of `rmu`: $\mathcal L_f$ leads states of forget answers to a random direction, and
$\mathcal L_r = \alpha\, \mathbb E \lVert M_\theta - M_{\theta_0} \rVert^2$ holds those of retain answers.

## Symbols

- $\operatorname{msign}(X) = P Q^\top$ for the singular value decomposition $X = P S Q^\top$: all singular values
  become 1. It is the orthogonal matrix nearest to $X$.
- $U_o, V_o$: the singular vectors of the $k$ largest singular values, $k$ (`rank`) but at most half of the
  matrix's smaller side, so that both sides find room.
- $\varepsilon$ (`threshold`): from which cosine on the two are said to agree; 0 means no conflict.
- $\beta$ (`momentum`); $s = \sqrt{\max(1, \text{rows} / \text{columns})}$.
- $c$ (`steering`), $\alpha$ (`retain_weight`), `depth`: as in `rmu`; what trains is the same.

## Facts

- **Sides that have no direction in common add up**: $D = U_r V_r^\top + U_f V_f^\top$ is the sum of two steps of Muon.
  **Sides that agree are one**: for $M_f = M_r$ it is $U V^\top$. **Opposite ones leave nothing**: for $M_f = -M_r$,
  $\operatorname{msign}[U\; U] = [U\; U] / \sqrt 2$ and that of $[V\; {-V}]$ alike, so that $D = 0$.
- **By hand**: $M_r = e_1 e_1^\top$ and $M_f = e_1 e_2^\top$ (the same row, other columns): $[U_r\; U_f] = [e_1\; e_1]$,
  so that $D = \frac{1}{\sqrt 2} e_1 (e_1 + e_2)^\top$. Each side has $\frac{1}{\sqrt 2}$ of its step.
- **In a conflict weights of the losses have no effect**, for singular vectors have no length: neither $\alpha$ nor how
  far $\mathcal L_f$ still has to go. They decide where Muon's step is taken, and by way of $\varepsilon$ not at all.
- **A step has the length that the rate says**: no singular value of $D$ is above 1, so a step changes what the matrix
  does to any vector by at most $\eta\, s$ of its length; it does not become shorter as losses fall. `munba` is the
  same thought for gradients as vectors: two sides of equal say, and a step of fixed length.
- At the start $\mathcal L_r$ has no gradient; the first step is Muon's along $\mathcal L_f$ alone.
- On `authors`, with $c = 50$ and $\alpha = 10$: at the rate 0.06 forget answers end at 0.41 (retrained: 0.45), retain
  answers at 0.95 and use at 0.620, which is what `rmu` comes to (0.37, 0.95, 0.620); at 0.1 it is 0.21, 0.87 and 0.565.
  Muon alone ($\varepsilon = -1$) is a little ahead: 0.36, 0.95 and 0.624 at 0.04. Its two sides are weighed, by
  $\alpha$ and by how far each still has to go; here keeping has half of the say, and no more.
- There the two sides conflict in every matrix that trains and in every step but the first: with
  $\varepsilon = 1.01$, which merges always, all numbers are the same. So nothing is to be seen of what choosing
  places and steps is good for.

## Differences

1. Verified against the released code: its unlearning script takes the first case always and everywhere, its script
   against hallucinations asks for the cosine, as here. The paper was read in abstract and figure captions only.
2. $\operatorname{msign}$ is exact here and in the unlearning script; Muon's own comes from five steps of a
   Newton-Schulz iteration there, which leaves singular values that are only near 1.
3. Directions whose singular value is 0 to rounding are left out: they are no one's.
4. With rows and columns as the architecture stores them; there every layer has its outputs in rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    cosine,
    hyperparameter,
    misdirection_loss,
    random_direction,
    steered_weights,
)

ROUNDING = 1e-5
"""Relative to the largest, what is left of a singular value that is 0."""


def singular_vectors(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(m, k) and (n, k), of the largest singular values."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = min(rank, int((values > ROUNDING * values[0]).sum()))
    return left[:, :kept], right[:kept].T


def matrix_sign(matrix: Tensor) -> Tensor:
    r"""$P Q^\top$ of $P S Q^\top$."""
    left, right = singular_vectors(matrix, min(matrix.shape))
    return left @ right.T


def merged(forgetting: Tensor, retaining: Tensor, rank: int) -> Tensor:
    r"""$D$ in a conflict: both sides' directions, made orthogonal to one another."""
    rank = max(1, min(rank, min(forgetting.shape) // 2))
    sides = zip(singular_vectors(retaining, rank), singular_vectors(forgetting, rank), strict=True)
    left, right = (matrix_sign(torch.cat(side, dim=1)) for side in sides)
    return left @ right.T


def direction(forgetting: Tensor, retaining: Tensor, rank: int, threshold: float) -> Tensor:
    """$D$; of a stack of matrices, as experts have, each by itself."""
    if forgetting.ndim > 2:
        sides = zip(forgetting, retaining, strict=True)
        return torch.stack([direction(*both, rank, threshold) for both in sides])
    conflict = cosine(forgetting, retaining) < threshold
    return merged(forgetting, retaining, rank) if conflict else matrix_sign(forgetting + retaining)


class Spectral(torch.optim.Optimizer):
    """Steps by matrices without lengths, from two gradients that are put into ``apart`` before each."""

    def __init__(
        self, weights: Iterable[Tensor], lr: float, weight_decay: float, apart: list[Gradient], **settings: Any
    ) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, **settings})
        self.apart = apart

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; the gradients that the weights have are not looked at."""
        for group in self.param_groups:
            for weight, *gradients in zip(group["params"], *(one.parts for one in self.apart), strict=True):
                forgetting, retaining = (
                    self._momentum(weight, name, gradient.float(), group["momentum"])
                    for name, gradient in zip(("forget", "retain"), gradients, strict=True)
                )
                change = direction(forgetting, retaining, group["rank"], group["threshold"])
                rows, columns = weight.shape[-2:]
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(change, alpha=-group["lr"] * math.sqrt(max(1.0, rows / columns)))

    def _momentum(self, weight: Tensor, name: str, gradient: Tensor, momentum: float) -> Tensor:
        kept: Tensor = self.state[weight].setdefault(name, torch.zeros_like(gradient))
        return gradient + momentum * kept.mul_(momentum).add_(gradient)


@dataclass(frozen=True)
class SIFT(Method):
    """Lead states away as RMU does, by steps whose two sides do not interfere."""

    paper = "huang2026subspace"
    acts_on = "gradients"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    remembers = False
    published = {
        "learning_rate": 0.016,
        "steps": 80,
        "batch_size": 4,
        "weight_decay": 0.1,
        "source": "released unlearning script, WMDP with Zephyr-7B",
    }

    threshold: float = hyperparameter(
        0.0, "ε, cosine below which two sides conflict", source="released script", minimum=-1, maximum=1.01
    )
    rank: int = hyperparameter(256, "k, how many directions each side has", source="released script", minimum=1)
    momentum: float = hyperparameter(0.95, "β", source="released script", minimum=0, below=1)
    steering: float = hyperparameter(
        20.0, "c, length of the target", source="released script", above=0, trade_off=(6.5, 20.0, 50.0, 100.0)
    )
    retain_weight: float = hyperparameter(100.0, "α, weight of the pinning term", source="released script", minimum=0)
    depth: float = hyperparameter(
        0.226, "layer ℓ as a fraction of the depth", source="layer 7 of Zephyr-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, which the optimizer makes into one."""
        target = self.steering * random_direction(model.width, run.seed).to(model.device)
        apart: list[Gradient] = []

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            before = batch.before.activations(batch.retain, self.depth)
            forget = misdirection_loss(model.activations(batch.forget, self.depth), target, batch.forget)
            retain = misdirection_loss(model.activations(batch.retain, self.depth), before, batch.retain)
            apart[:] = Gradient.of(forget, model), Gradient.of(self.retain_weight * retain, model)
            return apart[0] + apart[1]

        optimizer = partial(Spectral, apart=apart, momentum=self.momentum, rank=self.rank, threshold=self.threshold)
        weights = steered_weights(model, self.depth)
        return run.minimize(step, model, data, weights, self.reference, optimizer=optimizer)
