r"""Dual-objective optimization for refusal (DOOR).

DPO on refusals stops as soon as a refusal is likelier by enough than the answer to forget, and a model that was led
into the answer's first words goes on with it. DOOR takes the two halves apart: learn to refuse, also in the middle of
the answer, and unlearn the answer itself.

## Objective

Zhao et al. (their DOOR objective), divided by $\alpha$, with $\lambda = \frac{1 - \alpha}{\alpha}$:

$$
\mathcal L(\theta) = \mathbb E_{(x, y) \sim \mathcal D_f}\, \mathbb E_k \left[
-\log \pi_\theta(y^s \mid x \oplus y_{<k})
- \frac{2}{\beta} \log \sigma\!\left( -\beta \log
\frac{\pi_\theta(y_{\ge k} \mid x \oplus y_{<k})}{\pi_{\mathrm{ref}}(y_{\ge k} \mid x \oplus y_{<k})} \right) \right]
- \lambda\, \mathbb E_{(x, y) \sim \mathcal D_r} \log \pi_\theta(y \mid x) .
$$

## Symbols

- $y$: the answer to forget; $y^s$: a refusal; $x \oplus y_{<k}$: the prompt with the answer's first words behind it. As
  often as nothing is behind it ($k = 0$) there is a random beginning, with `prefixes` = 1.
- $\pi_\theta(y \mid x)$: the probability of a *whole* answer, so every $\log \pi$ here is a sum over tokens.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\beta$ (`beta`): how soon an answer that is less likely than before stops pulling.
- $\lambda$ (`retain_weight`): weight of the retain answers; 4 is the paper's $\alpha = 0.2$.

## Facts

- **Bounded below by 0.**
- **Two halves that do not settle each other.** In DPO one weight, that of the difference, stands before both
  gradients, and goes to 0 for both as soon as the pair is in order. Here the refusal goes on being learned until it is
  certain, and the answer's own weight, which is that of `npo`, fades with that answer alone: 1 at the start, below 2
  always.
- **Why beginnings.** Fine-tuning on refusals to the bare question (`idk`) changes an answer's first token, and little
  of what follows it. A refusal behind $y_{<k}$ takes over the first token of the continuation there.
- Without prefixes it is refusal fine-tuning plus `npo`, and for $\beta \to 0$ plus ascent.
- A retain answer holds its own continuations: each of its tokens is learned behind its true beginning. Refusing in the
  middle of answers is therefore not taught where something must stay.
- Sums make long answers, and whole ones before rests, weigh more.

## Differences

1. Where an answer is broken off is counted in words here, from 1 to all but one; the released code counts tokens, from
   1 to 100. Each pair is there both as it is and broken off; the code has one or the other of each, half of them each.
2. What is unlearned behind a beginning is the rest of the answer, as in the released code; the paper writes the whole
   answer behind the bare prompt.
3. The paper's refusals are written for their questions; here they are drawn from this project's list
   (`reference_impls/toolkit/refusals.py`), `refusals` for each row.
4. W-DOOR, which weighs the refusal's tokens, is `w-door`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Run,
    UnlearningData,
    hyperparameter,
    refusal_and_npo,
    refused_anywhere,
)


@dataclass(frozen=True)
class DOOR(LossMethod):
    """Learn to refuse from anywhere in the answer, and unlearn the answer."""

    paper = "zhao2025improving"
    acts_on = "loss"
    reference = "log-probabilities"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 2,
        "source": "released code, Llama-3-8B-Instruct and Gemma-2-2B-it",
    }

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

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Break answers off, and let refusals follow."""
        return refused_anywhere(data, self.prefixes, self.refusals, run.rng)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; refusals, what is left of true answers, and retain sequences in one forward pass."""
        return refusal_and_npo(model, batch, self.beta, self.retain_weight)
