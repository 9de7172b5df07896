r"""Alternating token-weighted unlearning (ATWU).

Which tokens of an answer have to be forgotten is learned while forgetting. A linear score on the model's own states
weighs each token of the forget loss, and is trained in turn with the model: where a token keeps its likelihood against
all forgetting, because what must stay needs it too, its weight goes down.

## Objective

Yüce et al., as code of an author computes it: steps of the model on $\mathcal L$, and after every `every` of them one
of the score on $\mathcal L_w$,

$$
\mathcal L(\theta) = \alpha\, L(\mathcal D_r; \theta) + \mathbb E_{\mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{sg}[s_t g_t] \log p_t,
\qquad
g_t = \sigma(w^\top h_t + b), \quad s_t = p_t^{\beta},
$$

$$
\mathcal L_w = \mathrm{mean}_t\, s_t g_t \log p_t + \lambda_H\, \mathrm{mean}_t\, H(g_t)
+ \lambda_P\, \mathbb E_y \Big( \mathrm{mean}_{t \in y} \hat g_t - \rho \Big)^2 + \lambda_2 \lVert (w, b) \rVert^2 .
$$

## Symbols

- $p_t = p_\theta(y_t \mid x, y_{<t})$; $\mathrm{sg}$: no gradient flows through.
- $h_t$: the state from which the model's head reads its answer at $t$, through which no gradient flows.
- $g_t \in (0, 1)$: the learned weight of a token; $w = b = 0$ at the start, so $\frac12$ everywhere.
- $s_t$: saturation; with $\beta$ (`power`) = 5 a token that is half forgotten has a thirtieth of its pull left.
- $H$: entropy of a coin, which is least where weights are 0 or 1; $\hat g_t = 1[g_t > \frac12]$, with the gradient of
  $g_t$.
- $\rho$ (`budget`): the share of an answer that should be forgotten.
- $\lambda_H$, $\lambda_P$, $\lambda_2$ (`entropy_weight`, `budget_weight`, `decay`).
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).

## Facts

- **It is `wga` with a second weight**, and its first step is `wga` times $\frac12$.
- **How the score learns what conflicts.** Nothing in $\mathcal L_w$ looks at the retain set. Its first term rewards
  weight where a token costs the model much, $-s_t \log p_t$, which is largest at $p_t = e^{-1/\beta}$, 0.82, and next
  to nothing for a token that is as certain as before. So weight goes to tokens that have begun to give way, and not to
  those that the retain loss restores.
- The three others make it a choice: about a share $\rho$ of each answer, with weights near 0 and 1.
- **Scores come to mark the right words**, as the paper says: on `authors` (5e-4) the area under the ROC curve of $g_t$,
  against the tokens that are in no alternate answer, goes from 0.50 through 0.14 to 0.88 in nine of its steps. It is
  below one half while the ends of answers, which everything shakes, are all that has given way.
- **What that is worth.** With $\beta = 5$ the run ends at 0.51 and 0.98 (forget and retain answers), and at 0.50 and
  0.98 if the score never learns: saturation decides. With $\beta = 1$ it is 0.18 and 0.98; without the score, and twice
  the retain weight to make up for its half, 0.26 and 0.97; `wga` has 0.20 and 0.96 (at 2e-4).
- Bounded below: $s_t \log p_t \ge -\frac{1}{e \beta}$.

## Differences

1. The paper's text was out of reach when this was written. Objective and defaults are those of a public fork of an
   author's, which may have changed since.
2. The score begins to learn only after `wait` steps of the model: before anything has given way, it would learn from
   noise, and the entropy makes its first choice hard to take back.
3. $h_t$ is what the last block writes, scaled to a mean square of 1; the code has it behind the model's own last norm.
   It takes a pass of its own.
4. The token that ends an answer counts like any other.
5. The paper puts the weights on other objectives as well (`npo`, `sim-npo`). Left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
    weighted_ascent_loss,
)


@dataclass(frozen=True)
class ATWU(Method):
    """Train the model and the weights of tokens in turn."""

    paper = "yuce2026learning"
    acts_on = "loss"
    retain = "optional"
    parts = ("blocks",)
    published = {"learning_rate": 1e-5, "epochs": 5, "source": "a public fork of an author's, TOFU"}

    power: float = hyperparameter(5.0, "β, how soon a forgotten token lets go", source="an author's code", minimum=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="an author's code",
        minimum=0,
        trade_off=(0.2, 0.5, 1.0, 2.0),
    )
    budget: float = hyperparameter(
        0.3, "ρ, share of an answer that is to be forgotten", source="an author's code", minimum=0, maximum=1
    )
    entropy_weight: float = hyperparameter(1.0, "λ_H, weight of the entropy", source="an author's code", minimum=0)
    budget_weight: float = hyperparameter(1.0, "λ_P, weight of the budget", source="an author's code", minimum=0)
    decay: float = hyperparameter(0.01, "λ_2, weight of the score's size", source="an author's code", minimum=0)
    score_rate: float = hyperparameter(0.1, "learning rate of the score", source="an author's code", above=0)
    every: int = hyperparameter(5, "steps of the model to one of the score", source="an author's code", minimum=1)
    wait: int = hyperparameter(20, "steps of the model before the first of the score", source="ours", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Take steps in turn."""
        score = torch.nn.Linear(model.width, 1, device=model.device)
        for weight in score.parameters():
            torch.nn.init.zeros_(weight)
        optimizer = torch.optim.SGD(score.parameters(), lr=self.score_rate, momentum=0.9, weight_decay=1e-4)
        steps = 0

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            nonlocal steps
            with torch.no_grad():
                states = model.activations(batch.forget, 1.0).float()
                states = states / states.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
            forget, retain = model.token_logits(batch.forget, batch.retain)
            saturation = torch.exp(self.power * forget.token_logprobs().detach())
            if steps >= self.wait and steps % self.every == 0:
                optimizer.zero_grad()
                self.score_loss(forget, saturation, score(states)[:, 0].sigmoid(), score).backward()
                torch.nn.utils.clip_grad_norm_(score.parameters(), 1.0)
                optimizer.step()
            steps += 1
            weights = score(states)[:, 0].sigmoid()
            return weighted_ascent_loss(forget, saturation * weights) + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data, retain=self.looks_at_retain)

    def score_loss(self, out: TokenLogits, saturation: Tensor, weights: Tensor, score: torch.nn.Module) -> Tensor:
        r"""() $\mathcal L_w$; no gradient flows to the model.

        Args:
            out: logits at the tokens of answers to forget.
            saturation: (N,) $s_t$.
            weights: (N,) $g_t$.
            score: what has $w$ and $b$.
        """
        forgotten = (saturation * weights * out.token_logprobs().detach()).mean()
        entropy = F.binary_cross_entropy(weights, weights)
        chosen = (weights > 0.5).float() + weights - weights.detach()
        budget = (out.mean_by_sequence(chosen) - self.budget).square().mean()
        size = sum(weight.square().sum() for weight in score.parameters())
        return forgotten + self.entropy_weight * entropy + self.budget_weight * budget + self.decay * size
