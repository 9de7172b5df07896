r"""Fine-grained activation manipulation by contrastive orthogonal unalignment (FALCON).

Forget states are led away from where they were and towards a direction that was made of their own principal ones,
irreversibly, by a contrastive loss. In every tensor by itself, the part of this gradient that goes against keeping is
taken away.

## Objective

Hu et al., as in their released code: at each token, with one positive and one negative,

$$
\mathcal L_u = - \mathbb E_{x \sim \mathcal D_f} \frac{1}{|x|} \sum_t \log
\frac{e^{\cos(h_\theta(t), v) / \tau}}{e^{\cos(h_\theta(t), v) / \tau} + e^{\cos(h_\theta(t), h_{\theta_0}(t)) / \tau}},
\qquad
\mathcal L_r = \alpha\, \Big(1 - \mathbb E_{x \sim \mathcal D_r} \frac{1}{|x|} \sum_t
\cos(h_\theta(t), h_{\theta_0}(t))\Big),
$$

and for every tensor of weights, with $g_u$ and $g_r$ its parts of the two gradients, a step along

$$
0.8\, \Big(g_u - \frac{\langle g_u, g_r \rangle}{\lVert g_r \rVert^2}\, g_r\Big) + 1.2\, g_r
\ \text{ where } \langle g_u, g_r \rangle < 0,
\qquad
0.1\, g_u + 1.9\, g_r \ \text{ elsewhere.}
$$

The direction is $v \leftarrow \mathrm{unit}(\tanh(v P))$, six times from the vector of equal entries, with
$P = \tanh\big(I + 1000 \sum_i \sigma(s_i / s_1)\, v_i v_i^\top + \xi\big)$.

## Symbols

- $h_\theta(t) \in \mathbb R^d$: the residual stream after layer $\ell$ (`depth`) at token $t$; $h_{\theta_0}$ that of
  the model before unlearning. The MLP down-projections of this layer and the two below it learn.
- $s_i$, $v_i$: singular values and right singular vectors of the states of a batch; $\xi$: noise of size 0.01.
- $\tau$ (`temperature`): how sharply the two cosines are compared.
- $\alpha$ (`retain_weight`): weight of the retain term.

## Facts

- **$\mathcal L_u$ is a softplus of a difference**, $\log(1 + e^{(\cos(h, h_0) - \cos(h, v)) / \tau})$, and between
  $\log(1 + e^{-2 / \tau})$ and $\log(1 + e^{2 / \tau})$. Lengths never count, so neither does how long $v$ is.
- **No tensor's step raises the retain loss, to first order**: its inner product with $g_r$ is
  $1.2\, \lVert g_r \rVert^2$ in the first case and at least $1.9\, \lVert g_r \rVert^2$ in the second. `gru` asks this
  of all weights together. AdamW scales each weight by itself, which makes it a tendency.
- **Where the two agree, keeping has nineteen times the say.** At the start $g_r$ is 0, which counts as agreement.
- Principal directions are enlarged, and $\tanh$ cuts off what is large: of them little but signs is left.
- Each batch has a direction of its own.

## Differences

1. The paper chooses the layer by the mutual information of forget and retain states; here it is given.
2. The released code makes the directions before training, from batches drawn at random, and trains with the optimizer
   Sophia; here each batch's direction is made of its own states before unlearning, and the optimizer is AdamW.
3. States are taken where the answer's tokens are predicted; the code takes every token of a text, padding included.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_over_answers,
    steered_weights,
)

ENLARGED, NOISE, ROUNDS = 1000.0, 0.01, 6
"""How much principal directions are enlarged, the noise on the matrix, and how often it is applied."""
IN_CONFLICT, IN_AGREEMENT = (0.8, 1.2), (0.1, 1.9)
"""Weights of the unlearning and the retain gradient of a tensor; these and those above as in the released code."""


@torch.no_grad()
def unaligned_direction(states: Tensor) -> Tensor:
    """(d,) $v$ of length 1, from (N, d) states."""
    _, values, directions = torch.linalg.svd(states.float(), full_matrices=False)
    weights = ENLARGED * torch.sigmoid(values / values[0])
    matrix = torch.eye(states.shape[1], device=states.device) + directions.T @ (weights[:, None] * directions)
    matrix = torch.tanh(matrix + NOISE * torch.randn_like(matrix))
    direction = F.normalize(torch.ones(states.shape[1], device=states.device), dim=0)
    for _ in range(ROUNDS):
        direction = F.normalize(torch.tanh(direction @ matrix), dim=0)
    return direction


def contrastive_loss(states: Tensor, before: Tensor, direction: Tensor, temperature: float) -> Tensor:
    r"""(N,) $\mathcal L_u$ at each token, from (N, d) states now and before unlearning."""
    towards = torch.cosine_similarity(states.float(), direction[None], dim=1)
    from_there = torch.cosine_similarity(states.float(), before.float(), dim=1)
    return F.softplus((from_there - towards) / temperature)


def resolved(unlearning: Gradient, retaining: Gradient) -> Gradient:
    """Both gradients as one, tensor by tensor."""
    parts: list[Tensor] = []
    for weight, g_u, g_r in zip(unlearning.weights, unlearning.parts, retaining.parts, strict=True):
        forgets, keeps = Gradient((weight,), (g_u,)), Gradient((weight,), (g_r,))
        if forgets.dot(keeps) < 0:
            forgets, shares = forgets - forgets.projected(keeps), IN_CONFLICT
        else:
            shares = IN_AGREEMENT
        parts += (shares[0] * forgets + shares[1] * keeps).parts
    return Gradient(unlearning.weights, tuple(parts))


@dataclass(frozen=True)
class FALCON(Method):
    """Lead forget states away in three down-projections, without what goes against keeping."""

    paper = "hu2025falcon"
    acts_on = "activations"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    remembers = False
    published = {
        "learning_rate": 5e-5,
        "steps": 80,
        "batch_size": 4,
        "source": "released code, WMDP with Zephyr-7B, where the optimizer is another",
    }

    retain_weight: float = hyperparameter(
        100.0,
        "α, weight of the retain term",
        source="released code, Zephyr-7B",
        minimum=0,
        trade_off=(1.0, 3.0, 10.0, 30.0, 100.0),
    )
    temperature: float = hyperparameter(0.7, "τ of the contrastive loss", source="released code", above=0)
    depth: float = hyperparameter(
        0.226, "layer ℓ as a fraction of the depth", source="layer 7 of Zephyr-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients in each step, made into one tensor by tensor."""

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            forget_before, retain_before = (
                batch.before.activations(encoded, self.depth) for encoded in (batch.forget, batch.retain)
            )
            forget, retain = (model.activations(encoded, self.depth) for encoded in (batch.forget, batch.retain))
            lost = contrastive_loss(forget, forget_before, unaligned_direction(forget_before), self.temperature)
            kept = torch.cosine_similarity(retain.float(), retain_before.float(), dim=1)
            unlearning = Gradient.of(mean_over_answers(lost, batch.forget), model)
            retaining = Gradient.of(-self.retain_weight * mean_over_answers(kept, batch.retain), model)
            return resolved(unlearning, retaining)

        return run.minimize(step, model, data, steered_weights(model, self.depth), reference=self.reference)
