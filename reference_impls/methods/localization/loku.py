r"""Low-rank knowledge unlearning (LoKU).

The loss of `ihl` in low-rank adapters that do not start from nothing. Fisher information says which rows of each
matrix matter more to the forget set than to the rest; the part of the matrix that weighs most in them is put into the
adapter, and training goes on from there.

## Objective

Cha et al.: with the diagonals $F_f$, $F_r$ of the empirical Fisher information on both sets, each matrix $W$ is divided
before training (Fisher-initialized low-rank adapters, FILA),

$$
\min_{A, B} \sum_{i,j} s_i^2 \big( W - c\, B A \big)_{ij}^2, \qquad
s_i^2 = \sum_j \frac{F_{f, ij}}{F_{r, ij} + \epsilon}, \qquad
W = \underbrace{(W - c\, B A)}_{\text{frozen}} + \underbrace{c\, B A}_{\text{trained}},
$$

by $S W \approx U \Sigma V^\top$ of rank $r$, $S = \mathrm{diag}(s)$, with $B = S^{-1} U (\Sigma / c)^{1/2}$ and
$A = (\Sigma / c)^{1/2} V^\top$. Then the adapters minimise

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\Big( 1 + p_\theta(y_t \mid x, y_{<t}) - \max_{v \ne y_t} p_\theta(v \mid x, y_{<t}) \Big)
+ \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $A \in \mathbb R^{r \times \mathrm{in}}$, $B \in \mathbb R^{\mathrm{out} \times r}$: an adapter of rank $r$ (`rank`);
  $c = \frac{\alpha}{r}$ its scale, with $\alpha$ (`alpha`).
- $s_i$: how much row $i$, which is what one output reads, matters to the forget set, relative to the rest.
- $\epsilon = 10^{-5}$ keeps quotients finite.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **Nothing changes at the start**: what the adapter is given, the matrix loses.
- **What is trained is a part of what the model knows**, and not an addition to it. A plain adapter has $B = 0$, so in
  the first step nothing but $B$ has a gradient; here both factors have one.
- **Equal importance is plain truncation**: where all $s_i$ are the same, $c\, B A$ is the best approximation of $W$ of
  rank $r$. For $W = \mathrm{diag}(2, 1)$ that is $\mathrm{diag}(2, 0)$ at rank 1; with $s = (\sqrt 2, 4)$ it is
  $\mathrm{diag}(0, 1)$: the smaller entry, in the row that matters.
- **Only how the importances relate to each other counts**: all $s_i$ multiplied by one number give the same $B A$.
- Where $F_r$ is far below $\epsilon$, the retain set has no say, and $s_i^2$ goes by $F_f$ alone.
- The change of each matrix has at most twice the adapter's rank: $B A$ after training less $B A$ before.

## Differences

1. $F$ is of single answers, as in its definition; the released code squares a batch's mean gradient and weighs it by
   the batch's tokens.
2. The released code adds $\epsilon$ to $s_i$ as well where it divides by it. Here a row without importance has no part
   in the adapter.
3. Both use a randomized decomposition; here with more columns than are kept, so that on small matrices it is exact.
4. Adapters are merged into the weights afterwards.
5. Means are over an answer's tokens, then over answers; the released code averages over all tokens of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Run,
    UnlearningData,
    adapted_layers,
    diagonal_fisher,
    hyperparameter,
    inverted_hinge_loss,
    mean_nll,
    row_importance,
    trained_weights,
    weighted_low_rank,
)


@dataclass(frozen=True)
class LoKU(Method):
    r"""Minimise $\mathcal L$ in adapters that hold what matters to the forget set."""

    paper = "cha2024robust"
    acts_on = "weights"
    retain = "needed"
    trains = "adapters"
    published = {
        "learning_rate": 1e-4,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released code, TOFU with Llama-2-7B",
    }

    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released code: the two are added",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    rank: int = hyperparameter(8, "r, rank of the adapters", source="released code: 4 to 32", minimum=1)
    alpha: float = hyperparameter(16.0, "α, scaling of the adapters", source="released code: 2r", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Weigh the rows, divide the matrices, train one part of each, and put them together again."""
        weights = trained_weights(model)
        fishers = zip(diagonal_fisher(model, data.forget), diagonal_fisher(model, data.retain), strict=True)
        importance = {id(weight): both for weight, both in zip(weights, fishers, strict=True)}
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))
        for layer in adapted_layers(model.model):
            forgotten, kept = (layer.by_output(fisher) for fisher in importance[id(layer.base)])
            layer.hand_over(*weighted_low_rank(layer.weight, row_importance(forgotten, kept), self.rank))
        run.minimize(self.loss, model, data, retain=self.looks_at_retain)
        adapted.merge()
        return model

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return inverted_hinge_loss(forget) + self.retain_weight * mean_nll(retain)
