r"""Ascent up to a bound, whatever stands before the question (Eraser).

Made against jailbreaks: what a model does not know, no prompt gets out of it. Eraser ascends on the unwanted answers
behind random words, so that they go under whatever disguise the question comes, and stops once they are unlikely
enough; a divergence holds what is harmless, and the questions are to be met with refusals.

## Objective

Lu et al. (their three goals; the bound as in the released code), with random words $T(\cdot)$ before the question, anew
for every batch:

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \max\big(0,\ \gamma - \bar\ell(y \mid T(x); \theta)\big)
+ \lambda\, \mathrm{KL}_{\mathcal D_r}\big(p_{\theta_0} \,\|\, p_\theta\big) + \rho\, \mathcal L_a(\theta),
$$

$$
\mathcal L_a(\theta) = L(\mathcal D_a; \theta) \ \text{(likelihood)} \quad\text{or}\quad
\mathrm{KL}_{\mathcal D_a}\big(p_{\theta_0} \,\|\, p_\theta\big) \ \text{(divergence)}.
$$

## Symbols

- $\bar\ell(y \mid x; \theta)$: the mean negative log-likelihood of the answer's tokens, $L(\mathcal D; \theta)$ its
  mean over a set; $T(x)$: the question behind up to `words` random tokens.
- $\gamma$ (`threshold`): the loss at which an answer counts as gone.
- $\theta_0$: the model before unlearning; $\mathrm{KL}_{\mathcal D}$: the divergence per token of a set's answers.
- $\mathcal D_r$: harmless data, here the retain set; $\lambda$ (`retain_weight`) its weight.
- $\mathcal D_a$: the forget questions with refusals; $\rho$ (`refusal_weight`) its weight, `refusal_loss` which
  $\mathcal L_a$ it is.

## Facts

- **It ends**: no term is below 0, and the first one and its gradient are exactly 0 for an answer beyond $\gamma$. On
  the way there its gradient is that of gradient ascent. A token then has the probability $e^{-\gamma}$ in the
  geometric mean, 0.17 at 1.8.
- At $\theta_0$ both divergences are 0, with gradient 0, so the first steps are ascent and refusals.
- `kl-min` is what is left without the bound, the random words and the refusals.
- The divergence on refusals keeps a model refusing that does. One that does not is held at its answer instead, against
  the first term.
- **What random words do**: on `authors`, with up to 3 of them, the forget answers go from 0.96 to 0.10, and behind 5
  and 25 words that it did not train with from 0.81 and 0.56 to 0.02 and 0.01, at 0.93 for retain answers. Without any
  in training it is 0.09, and 0.10 and 0.05 behind words: little comes back there even so. Behind another question with
  its answer, a disguise of another kind, it is 0.16 either way. With up to 50, as in the code, plain questions come up
  seldom there, and end at 0.41.
- Where the model was never taught to refuse, the refusals come out in pieces, or as an invented answer.

## Differences

1. The bound of the code holds for the mean over all tokens of four texts. Here each answer has its own: the embedded
   model never read random words before a question, half of the batch behind many of them made up for the other half,
   and questions without any were still answered.
2. The paper writes the unwanted answers with an uncensored model, and has $\theta_0$ write harmless questions and
   answers about what occurs in them; here they are the forget and the retain set.
3. It takes refusals that $\theta_0$ gave, and the released code a divergence on them. Models here need not refuse, so
   they are taught to by default, with sentences of this project.
4. The code puts up to 20 random tokens after the question as well; here all are before it, as not every prompt says
   where its question ends.
5. Divergences of the code include the places of prompt and padding; here they are means over an answer's tokens, then
   over answers. It trains low-rank adapters; here all weights learn. It has no weights: $\lambda = \rho = 1$.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    with_refusals,
)


def bounded_ascent_loss(out: TokenLogits, threshold: float) -> Tensor:
    r"""() The first term from logits at the tokens of answers to forget."""
    return torch.relu(threshold - out.sequence_nll()).mean()


@dataclass(frozen=True)
class Eraser(Method):
    """Ascend up to a bound behind random words, and hold the retain set and refusals."""

    paper = "lu2024eraser"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    remembers = False
    published = {
        "epochs": 5,
        "batch_size": 64,
        "source": "released configuration, Llama-2-7B-chat; its learning rate (2e-5) is for low-rank adapters",
    }

    threshold: float = hyperparameter(
        1.8,
        "γ, loss at which answers count as gone",
        source="released configuration",
        above=0,
        trade_off=(0.5, 1.0, 1.8, 3.0),
    )
    words: int = hyperparameter(
        50, "how many random tokens there are at most before a question", source="released code", minimum=0
    )
    retain_weight: float = hyperparameter(1.0, "λ, weight of the divergence", source="released code", minimum=0)
    refusal_weight: float = hyperparameter(1.0, "ρ, weight of the refusals", source="released code", minimum=0)
    refusal_loss: str = hyperparameter(
        "likelihood",
        "what holds refusals",
        source="ours; released code: divergence",
        choices=("likelihood", "divergence"),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the three terms; random words are drawn for every batch."""
        told = with_refusals(data, run.rng)
        tokenizer = model.tokenizer
        tokens = sorted({*range(min(len(tokenizer), model.embeddings))} - {*tokenizer.all_special_ids})

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            disguised = []
            for row in batch.forget.rows.tolist():
                drawn = run.rng.choices(tokens, k=run.rng.randint(0, self.words))
                before = f"{tokenizer.decode(drawn)} " if drawn else ""
                disguised.append(replace(told.forget[row], prompt=model.behind(before, told.forget[row].prompt)))
            return self.loss(model, batch, model.encode(disguised))

        return run.minimize(loss, model, told, reference=self.reference, alternates=True, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, disguised: Encoded) -> Tensor:
        """The loss of one batch, whose forget texts come behind random words, all in one forward pass."""
        forget, retain, refused = model.token_logits(disguised, batch.retain, batch.preferred)
        retain_before, refused_before = batch.before.token_logits(batch.retain, batch.preferred)
        aligned = mean_nll(refused) if self.refusal_loss == "likelihood" else mean_kl(refused_before, refused)
        held = self.retain_weight * mean_kl(retain_before, retain) + self.refusal_weight * aligned
        return bounded_ascent_loss(forget, self.threshold) + held
