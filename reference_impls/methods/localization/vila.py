r"""Variance importance in low-rank adapters (VILA).

`loku`'s start with another measure of what matters. Fisher information is the variance of gradients, which is their
mean square only where their mean is 0, as it is not on the forget set alone. And it is measured on the factors of
adapters: no gradient of a whole matrix is ever needed.

## Objective

Kim et al., in the form of their released code. First every matrix $W$ gets an adapter with factors
$A, B \sim \mathcal N(0, \sigma^2)$, and $W$ is frozen. On each of the two sets, for every entry of a factor,

$$
I(A) = \mathbb E_{(x,y)} \left( \partial_A\, \ell \right)^2 - \left( \mathbb E_{(x,y)}\, \partial_A\, \ell \right)^2,
\qquad I(B) \text{ likewise},
\qquad
\tilde I = I(B)\, I(A) \in \mathbb R^{\mathrm{out} \times \mathrm{in}} .
$$

The adapter is then thrown away, and one that holds a part of $W$ takes its place, as in `loku`:

$$
\min_{A, B} \sum_{i,j} s_i^2 \big( W - c\, B A \big)_{ij}^2, \qquad
s_i^2 = \sum_j \frac{\tilde I_{f, ij}}{\tilde I_{r, ij} + \epsilon}, \qquad
W = \underbrace{(W - c\, B A)}_{\text{frozen}} + \underbrace{c\, B A}_{\text{trained}} .
$$

Trained is on `loku`'s loss, $\mathcal L(\theta) = \mathcal L_{\mathrm{IHL}}(\mathcal D_f; \theta)
+ \lambda\, L(\mathcal D_r; \theta)$, with

$$
\mathcal L_{\mathrm{IHL}}(\mathcal D_f; \theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\Big( 1 + p_\theta(y_t \mid x, y_{<t}) - \max_{v \ne y_t} p_\theta(v \mid x, y_{<t}) \Big) .
$$

## Symbols

- $\ell$, $L$: the mean negative log-likelihood of one answer's tokens, and its mean over retain answers, weighted by
  $\lambda$ (`retain_weight`).
- $\sigma$ (`spread`): how far the factors are from 0 while they are measured.
- $r$ (`rank`), $c = \frac{\alpha}{r}$ with $\alpha$ (`alpha`): the adapters' size and scale; $\epsilon = 10^{-5}$.

## Facts

- **A gradient that all answers share is no importance**: gradients 1 and 3 have the mean square 5 and the variance 1,
  and 2 and 2 have 4 and 0.
- **Nothing changes at the start**: what the adapter is given, the matrix loses.
- **What is measured is $r (\mathrm{in} + \mathrm{out})$ numbers for each matrix in place of
  $\mathrm{in} \times \mathrm{out}$**, a backward pass through the adapters alone. $I(B)\, I(A)$ puts them together as
  if it were the product of two factors; its rank is at most $r$.
- **Both factors have to differ from 0**: as adapters usually begin, $B = 0$, no gradient reaches $A$.
- **Where it makes little difference.** In the embedded model the variance is 98 % of the mean square, for answers that
  are known by heart pull in all directions, and $\tilde I_r$, a product of squares of small gradients, is mostly far
  below $\epsilon$, so that $s_i^2$ goes by $\tilde I_f$ alone. On `authors`, at the same rate and weight, what is
  forgotten and kept is what `loku` forgets and keeps, from a measure that needs a fraction of its memory.

## Differences

1. Gradients are those of single answers, as in this collection's `loku`; the released code takes batches, each by its
   number of tokens.
2. That code divides the importances by the number of tokens once more where it forms their quotient, which makes
   $\epsilon$ larger still. It also adds $\epsilon$ to $s_i$ where it divides by it; here a row without importance has
   no part in the adapter.
3. Ten passes over the sets there, one here: nothing but the batches would differ.
4. The paper also trains such adapters by the losses of `npo` and of `grad-diff`.
5. Adapters are merged into the weights afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Pair,
    Run,
    UnlearningData,
    adapted_layers,
    diagonal_fisher,
    hyperparameter,
    inverted_hinge_loss,
    mean_nll,
    nll_gradient,
    row_importance,
    trained_weights,
    weighted_low_rank,
)


def gradient_variances(model: LanguageModel, pairs: Sequence[Pair]) -> tuple[Tensor, ...]:
    """For each trained weight tensor, the variance of its gradient over single answers, entry by entry."""
    squares, means = diagonal_fisher(model, pairs), nll_gradient(model, pairs).parts
    return tuple((square - mean.square()).clamp(min=0) for square, mean in zip(squares, means, strict=True))


@dataclass(frozen=True)
class VILA(Method):
    r"""Measure in random adapters, then minimise $\mathcal L$ in those that hold what matters to the forget set."""

    paper = "kim2025improving"
    acts_on = "weights"
    retain = "needed"
    trains = "adapters"
    published = {
        "learning_rate": 1e-4,
        "epochs": 5,
        "batch_size": 16,
        "weight_decay": 0.01,
        "source": "released code, TOFU with Llama-2-7B",
    }

    retain_weight: float = hyperparameter(
        1.3,
        "λ, weight of the retain loss",
        source="released code, TOFU with Llama-2-7B",
        minimum=0,
        trade_off=(1.3, 2.0, 5.0, 10.0),
    )
    rank: int = hyperparameter(8, "r, rank of the adapters", source="released code", minimum=1)
    alpha: float = hyperparameter(16.0, "α, scaling of the adapters", source="released code", above=0)
    spread: float = hyperparameter(
        0.05, "σ, of the factors in which importance is measured", source="released code", above=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Weigh the rows by the adapters' gradients, divide the matrices, train one part of each, and merge."""
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))
        weights = trained_weights(model)
        for weight in weights:
            torch.nn.init.normal_(weight, std=self.spread)
        variances = zip(*(gradient_variances(model, pairs) for pairs in (data.forget, data.retain)), strict=True)
        of = {id(weight): both for weight, both in zip(weights, variances, strict=True)}
        for layer in adapted_layers(model.model):
            forgotten, kept = (up @ down for up, down in zip(of[id(layer.up)], of[id(layer.down)], strict=True))
            layer.settle()
            layer.hand_over(*weighted_low_rank(layer.weight, row_importance(forgotten, kept), self.rank))
        run.minimize(self.loss, model, data, retain=self.looks_at_retain)
        adapted.merge()
        return model

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return inverted_hinge_loss(forget) + self.retain_weight * mean_nll(retain)
