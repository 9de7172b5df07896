r"""Unlearning via model merging (ZJUKLAB).

Two models are unlearned in the same way with different weights, one that forgets too much and one that forgets too
little, and what they were changed by is merged by TIES. The second place of SemEval 2025, task 4.

## Objective

Xu et al. For $i = 1, 2$, from $\theta_0$ by low-rank adapters,

$$
\theta_i = \arg\min_\theta\; a_i\, \mathcal L_{\mathrm{NPO}}(\mathcal D_f; \theta)
+ b_i\; \mathbb E_{\mathcal D_r} \mathrm{KL}\big( p_{\theta_0} \,\Vert\, p_\theta \big) + c_i\, L(\mathcal D_r; \theta),
$$

$$
\theta = \theta_0 + \mathrm{TIES}_k(\theta_1 - \theta_0,\; \theta_2 - \theta_0) .
$$

## Symbols

- $(a_1, b_1, c_1) = (0.4, 0.4, 0.2)$ forgets too much, $(a_2, b_2, c_2) = (0.3, 0.3, 0.4)$ too little; the former is
  the paper's with batches half as large.
- $\mathcal L_{\mathrm{NPO}}$ with $\beta$ (`beta`); see `npo`. $L$: the mean negative log-likelihood.
- $\mathrm{TIES}_k$ (Yadav et al. 2023): of each change the share $k$ (`density`) of largest entries, then of every
  weight the mean of those changes that have the sign of their sum; see `spunge`.
- $r$ (`rank`): of the adapters, scaled by 1.

## Facts

- **Both trained alike, $k = 1$: the merged model is each of them.** Where one moves a weight and the other moves it the
  other way, the larger one gets its way undiminished; a plain mean would let them cancel.
- A mean of two changes of the same sign is between them, so the merged model lies between the two in most of what it
  does; the paper's own warning is that a good score of the whole can hide forgetting too much.
- On `authors`, at the rate 0.002, forget answers fall from 0.96 to 0.02 and retain answers from 0.98 to 0.91; with the
  keeping terms five times as heavy to 0.03 and 0.96. What is said instead is no sentence, as after `npo`: merging
  brings nothing back.

## Differences

1. The released code takes a batch's mean loss per token for NPO's log-probability, one number for all of it; here, as
   in NPO's paper, it is the sum of each answer.
2. Its divergence runs over all places of a batch, padding included; here over the tokens of answers.
3. TIES merges the products of the adapters, as weights, not their factors one by one, whose signs mean nothing.
4. Dropout of 0.05 in the adapters is left out; both trainings have the recipe's batch.
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
    hyperparameter,
    mean_kl,
    mean_nll,
    npo_loss,
    subtract_task_vector,
    ties,
)

TOO_MUCH, TOO_LITTLE = (0.4, 0.4, 0.2), (0.3, 0.3, 0.4)
"""a, b, c of the two trainings."""


@dataclass(frozen=True)
class ZJUKLAB(Method):
    """Forget too much and too little, and merge the two."""

    paper = "xu2025zjuklab"
    acts_on = "weights"
    retain = "needed"
    trains = "adapters"
    copies = 2
    parts = ("blocks",)
    published = {"learning_rate": 1e-4, "epochs": 5, "source": "released code, OLMo-7B; batches of 1 and 2, times 4"}

    beta: float = hyperparameter(0.1, "β of NPO", source="released code", above=0)
    retain_weight: float = hyperparameter(
        1.0,
        "what the published b and c are multiplied by",
        source="ours",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    density: float = hyperparameter(0.8, "k, share of each change that is kept", source="code", above=0, maximum=1)
    rank: int = hyperparameter(32, "r, rank of the adapters", source="code", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Unlearn twice from the same start, then add what both agree on."""
        unlearned = [
            self._trained(model, data, run.apart(2 * run.seed + turn), weights)
            for turn, weights in enumerate((TOO_MUCH, TOO_LITTLE))
        ]
        merged = ties(model.model, [other.model for other in unlearned], self.density)
        subtract_task_vector(model.model, merged, -1.0)
        return model

    def _trained(
        self, start: LanguageModel, data: UnlearningData, run: Run, weights: tuple[float, float, float]
    ) -> LanguageModel:
        forgetting, staying, learning = weights

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, kept = model.token_logits(batch.forget, batch.retain)
            forget_before, kept_before = batch.before.token_logits(batch.forget, batch.retain)
            npo = npo_loss(forget.sequence_logprobs(), forget_before.sequence_logprobs(), self.beta)
            keeping = staying * mean_kl(kept_before, kept) + learning * mean_nll(kept)
            return forgetting * npo + self.retain_weight * keeping

        model = start.copy()
        adapted = run.adapt(model, LoRA(self.rank, float(self.rank)))
        run.minimize(loss, model, data, reference="model")
        adapted.merge()
        return model
