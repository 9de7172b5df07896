r"""Mitigating memorization in language models (BalancedSubnet).

Every weight of the MLPs gets a score, and those with the lowest are switched off. The scores, not the weights, are
trained: the memorized text is to become unlikely and all other text to stay likely. What is off in the end is set to 0.

## Objective

Sakarvadia et al., for each matrix $W$ with scores $s$ of the same shape,

$$
\hat W = W \odot m(s), \qquad
m_i(s) = \mathbf 1\big[\, |s_i| > Q_q(|s|) \,\big],
$$

$$
\min_s\; \alpha\, L(\mathcal D_r; \hat\theta(s)) - L(\mathcal D_f; \hat\theta(s)), \qquad
\frac{\partial m_i}{\partial |s_i|} := 1, \qquad W \leftarrow \hat W .
$$

## Symbols

- $W$: all matrices of the MLPs; they do not move. $\hat\theta$: the model with each $\hat W$ in its place.
- $s$: drawn at first uniformly from $\pm 1 / \sqrt{n}$, with $n$ columns in the matrix.
- $q$ (`share`): of each matrix, switched off; $Q_q(|s|)$: what that share of its scores does not exceed.
- $L$: the mean negative log-likelihood of a set's answers, of the retain set weighted by $\alpha$ (`retain_weight`).

## Facts

- **It begins with weights drawn by lot**: before the first step a share $q$ of every MLP is off, whatever it did; the
  training is a search for others. With a learning rate of 0 it is random pruning.
- **By the chain rule a score moves by $\partial_{W_i}\mathcal L \cdot W_i$**, up to the sign of $s_i$: to the first
  order, by what switching the weight off would do. `llm-eraser` takes the same product once, and sums it over neurons.
- **No weight gets a value that it did not have**: each stays or is 0, so the ascent ends where no other choice of
  weights forgets more.
- `selective-pruning`, `manu` and `depn` take out whole neurons, by scores that are counted and not trained.
- **Single weights are enough.** On `authors`, of 0.96 and 0.98, a hundredth of the MLPs off leaves forget answers at
  0.87 and retain answers at 0.98 (rate 1), a twentieth 0.44 and 0.93 (rate 0.3), with $\alpha = 2$ 0.50 and 0.96. At a
  rate of 1 the twentieth leaves 0.22 and 0.90, less than the retrained model's 0.45: the ascent has no end of its own.
  The same share of neurons taken out by `selective-pruning` leaves 0.91 and 0.95.

## Differences

1. Formulas and initial scores were checked against the released code (its `random_greedy`); the paper's own text was
   at hand in part. In the code the loss is multiplied by the batch's size and both sets count alike ($\alpha = 1$).
2. The code takes SGD with momentum 0.9, a rate of 0.1 and a weight decay of 0.0005 on the scores; here its momentum,
   and gradients are clipped as for every method, so that rates are larger.
3. It draws batches from both sets mixed; here each step has as many pairs of either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    most_salient,
)


class Subnet(nn.Module):
    """A matrix without the weights that have the lowest scores."""

    def __init__(self, weight: Tensor, share: float) -> None:
        super().__init__()
        self.share = share
        self.scores = nn.Parameter(torch.empty_like(weight))
        nn.init.kaiming_uniform_(self.scores, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        r"""$W \odot m(s)$, with the gradient of $W \odot |s|$ for the scores."""
        size = self.scores.abs()
        (off,) = most_salient([-size.detach()], self.share)
        return weight * ((~off).to(weight.dtype) + (size - size.detach()))


@dataclass(frozen=True)
class BalancedSubnet(Method):
    """Train scores, then take out the weights with the lowest."""

    paper = "sakarvadia2024mitigating"
    acts_on = "weights"
    retain = "needed"
    trains = "part"
    parts = ("memories",)
    weighs_weights = True
    published = {"learning_rate": 0.1, "batch_size": 64, "source": "released code, SGD on scores"}

    share: float = hyperparameter(
        0.01,
        "q, share of each matrix that is switched off",
        source="released sweep: 0.00001 to 0.9",
        above=0,
        maximum=1,
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Put scores beside the MLPs' matrices, train them, and leave what they chose."""
        matrices = model.mlp_matrices(range(model.layers))
        subnets = [Subnet(module.get_parameter("weight"), self.share) for module in matrices]
        for module, subnet in zip(matrices, subnets, strict=True):
            parametrize.register_parametrization(module, "weight", subnet)
        scores = [subnet.scores for subnet in subnets]
        run.minimize(self.loss, model, data, scores, optimizer=partial(torch.optim.SGD, momentum=0.9))
        for module in matrices:
            parametrize.remove_parametrizations(module, "weight")
        return model

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return self.retain_weight * mean_nll(retain) - mean_nll(forget)
