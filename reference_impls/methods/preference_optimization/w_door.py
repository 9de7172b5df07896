r"""Weighted dual-objective optimization for refusal (W-DOOR).

Of a refusal's words few decide that it is one. A model trained by DPO first tells which, by how much likelier it has
made each token, and these count for more when refusing is learned.

## Objective

Zhao et al. (their W-DOOR objective), which is that of `door` with a weight before each token of a refusal:

$$
-\sum_t w_t \log \pi_\theta(y^s_t \mid x \oplus y_{<k}, y^s_{<t}), \qquad
w_t = \exp\!\left( \frac{1}{\tau} \log \frac{\pi^*(y^s_t \mid x \oplus y_{<k}, y^s_{<t})}
{\pi_{\mathrm{ref}}(y^s_t \mid x \oplus y_{<k}, y^s_{<t})} \right) .
$$

## Symbols

- $y^s$: a refusal; $x \oplus y_{<k}$: the prompt, with the answer's first words behind it as often as not.
- $\pi^*$: a copy that `dpo` trains to prefer the refusals, on the same rows. $\log \frac{\pi^*}{\pi_{\mathrm{ref}}}$ is
  the reward that DPO has learned without saying so, token by token.
- $\tau$ (`temperature`): large ones make all weights 1. `weights`: "exp" as above, or the released code's "inverse",
  $\exp(-\frac{1}{\tau} \log \frac{\pi^*}{\pi_{\mathrm{ref}}})$.
- $\beta$ (`beta`), $\lambda$ (`retain_weight`), `prefixes`, `refusals`: as for `door`; $\beta$ and $\lambda$ for both
  trainings.

## Facts

- **For $\tau \to \infty$, or a $\pi^*$ that learned nothing, it is `door`.**
- **The first words gain.** Once a refusal has begun, any model goes on with it; what DPO had to make likelier is the
  place where it turns away from the answer. "inverse" does the opposite: it weighs most what DPO did not change.
- Weights have no upper bound: a token that DPO made a thousandfold likelier counts four times with $\tau = 5$, and a
  thousand times with $\tau = 1$.
- The recipe's steps are shared out: half of them train $\pi^*$.
- **On `authors` the weights change little.** After 60 steps for either training at 2e-3 with $\lambda = 8$, 0.28 of the
  forget answers' probability is left, 0.40 of their rest behind their first third, 0.87 of the retain answers and 0.23
  of general facts; `door` leaves 0.30, 0.42, 0.84 and 0.27 after its 60 steps. That it holds better behind
  a beginning, as the paper has it, can hardly be told from that.

## Differences

1. The paper's formula is known from accounts of it; the released code was read. It computes the inverse weights, its
   term on the answer to forget has no reference, but a mean over the answer's tokens and a margin, and a second choice
   of weights is a sigmoid. Here that term is `door`'s, as the paper has it.
2. The rest departs from the paper as `door` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    dpo_with_retain,
    hyperparameter,
    refusal_and_npo,
    refused_anywhere,
)


@dataclass(frozen=True)
class WDOOR(Method):
    """Let DPO say which words of a refusal matter, and train as DOOR with these weights."""

    paper = "zhao2025improving"
    acts_on = "loss"
    reference = "log-probabilities"
    retain = "optional"
    copies = 1
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 2,
        "source": "released code, Llama-3-8B-Instruct and Gemma-2-2B-it",
    }

    temperature: float = hyperparameter(5.0, "τ, how alike the weights are", source="released code", above=0)
    weights: str = hyperparameter("exp", "how rewards weigh", source="paper; released code", choices=("exp", "inverse"))
    beta: float = hyperparameter(0.5, "β, inverse temperature: larger stops sooner", source="released code", above=0)
    retain_weight: float = hyperparameter(
        4.0,
        "λ, weight of the retain loss, (1 - α) / α",
        source="released code, α = 0.2",
        minimum=0,
        trade_off=(1.0, 2.0, 4.0, 8.0),
    )
    prefixes: int = hyperparameter(
        1,
        "how often each answer is there broken off, beside once as it is",
        source="paper: half of the data",
        minimum=0,
    )
    refusals: int = hyperparameter(
        5, "how many refusals each question meets", source="ours, as for dpo", minimum=1, maximum=40
    )

    def importance(self, sure: Tensor, before: Tensor) -> Tensor:
        r"""(N,) $w_t$ from the tokens' log-probabilities under $\pi^*$ and $\pi_{\mathrm{ref}}$."""
        sign = 1 if self.weights == "exp" else -1
        return torch.exp(sign * (sure - before) / self.temperature)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train a copy by DPO, then the model with the weights that it gives."""
        rows = refused_anywhere(data, self.prefixes, self.refusals, run.rng)

        def prefer(model: LanguageModel, batch: Batch) -> Tensor:
            return dpo_with_retain(model, batch, self.beta, self.retain_weight)

        def refuse(model: LanguageModel, batch: Batch) -> Tensor:
            assert batch.preferred.reference is not None
            with torch.no_grad(), teacher.evaluating():
                (out,) = teacher.token_logits(batch.preferred)
                weights = self.importance(out.token_logprobs(), batch.preferred.reference)
            return refusal_and_npo(model, batch, self.beta, self.retain_weight, weights)

        teacher = model.copy()
        for trained, loss, stage in zip((teacher, model), (prefer, refuse), run.stages(2), strict=True):
            stage.minimize(loss, trained, rows, reference=self.reference, alternates=True, retain=self.looks_at_retain)
        return model
