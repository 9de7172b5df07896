r"""Bootstrapping with token beliefs (BS-T).

What gradient ascent takes from the true token goes to those that the model already believes in next, which often say
the same in other words: the answer is squeezed out of one wording into another. BS-T makes these beliefs, the likeliest
next tokens, a part of what is unlearned.

## Objective

Li et al. (the token form of their bootstrapping), in the sign of a loss, with the retain term of their experiments:

$$
\mathcal L_f(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t \sum_v t_{t,v}
\log p_\theta(v \mid x, y_{<t}),
\qquad
t_t = \lambda\, \mathrm{sg}[b_t] + (1 - \lambda)\, e_{y_t},
$$

$$
b_{t,v} = \frac{p_\theta(v \mid x, y_{<t})}{\sum_{u \in T_k} p_\theta(u \mid x, y_{<t})} \ \text{for}\ v \in T_k,
\quad \text{else}\ 0,
\qquad
\mathcal L(\theta) = \mathcal L_f(\theta) + \alpha\, L(\mathcal D_r; \theta).
$$

## Symbols

- $b_t$: the beliefs, that is, what the model expects at this place, of the $k$ (`top`) likeliest tokens $T_k$ alone.
- $\lambda$ (`belief_weight`): their share in what is unlearned; 0 is gradient ascent with a retain term.
- $e_{y_t}$: the one-hot vector of the true token. $\mathrm{sg}$ stops the gradient.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).

## Facts

- **The gradient at the logits is** $t_t - p_t$, at most 1 in each entry.
- **The method is in the truncation.** With all tokens for beliefs, $b_t = p_t$ and the gradient is
  $(1 - \lambda)(e_{y_t} - p_t)$: that of gradient ascent, made smaller, so that nothing is left of the idea.
- **Who gets what the true token loses.** Let $P$ be the probability that the $k$ likeliest tokens have together. One of
  them that is not the true one has the gradient $p_v \left(\frac{\lambda}{P} - 1\right)$, one outside has $-p_v$. So a
  belief is pushed down only where $P < \lambda$; else it still rises, by less than under ascent and than what is not
  believed in. Squeezing is slowed by a share of $\frac{\lambda}{P}$ at the logits, and not turned round.
- The true token, where it is among the beliefs, is pushed as hard as by ascent less $\lambda\, p_{y_t} \left(
  \frac{1}{p_{y_t}} - \frac{1}{P} \right)$.
- **Unbounded below**, as gradient ascent is, for $\lambda < 1$.

## Differences

1. The paper sums over an answer's tokens; here, as in the released code, the mean over each answer's tokens, then over
   answers.
2. The code's variant with weights as those of `wga` is left out. The sequence form is `bs-s`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, bs_t_loss, hyperparameter, mean_nll


@dataclass(frozen=True)
class BST(LossMethod):
    r"""Minimise $\mathcal L_f$ plus the retain loss."""

    paper = "li2025llm"
    acts_on = "loss"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "OpenUnlearning's configuration, which the released code keeps",
    }

    belief_weight: float = hyperparameter(
        0.2,
        "λ, share of the model's beliefs in what is unlearned; 0 is gradient ascent",
        source="released configuration",
        minimum=0,
        maximum=1,
    )
    top: int = hyperparameter(
        20, "k, how many of the likeliest tokens are beliefs", source="released configuration", minimum=1
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released configuration",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return bs_t_loss(forget, self.belief_weight, self.top) + self.retain_weight * mean_nll(retain)
