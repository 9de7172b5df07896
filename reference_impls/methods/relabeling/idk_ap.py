r"""Refusals with answer preservation (IDK+AP).

Who is taught to refuse some questions comes to refuse others. So on questions that are to be answered the answer is
held against a refusal: as soon as refusing gains on answering there, the loss pushes it back.

## Objective

Yuan et al. (IDK+AP), as in their released code:

$$
\mathcal L(\theta) = L(\mathcal D_f^{\mathrm{idk}}; \theta) + \alpha\, \mathcal L_{\mathrm{AP}}(\theta),
\qquad
\mathcal L_{\mathrm{AP}}(\theta) = -\frac1\beta\, \mathbb E_{(x,y) \sim \mathcal D_r,\, y'}
\log \sigma\!\left( \beta \log \frac{\pi_\theta(y \mid x)}{\pi_\theta(y' \mid x)} \right).
$$

## Symbols

- $\mathcal D_f^{\mathrm{idk}}$: the forget questions, each with a refusal drawn from a list every time it is met;
  $L$: the mean negative log-likelihood of answers. This is the first term of `idk`.
- $y'$: a refusal in answer to a retain question, drawn every time it is met.
- $\pi_\theta(y \mid x)$: the probability of the *whole* answer, so $\log \pi_\theta$ is a sum over its tokens.
- $\beta$ (`beta`): how soon an answer that is likelier than the refusal stops pulling.
- $\alpha$ (`retain_weight`): the weight of answer preservation; 0 is refusal training alone.

## Facts

- **DPO without a reference model**, with the roles turned: on retain questions the answer wins and the refusal loses.
- With $d = \log \pi_\theta(y \mid x) - \log \pi_\theta(y' \mid x)$ the gradient is
  $\nabla \mathcal L_{\mathrm{AP}} = -\mathbb E[\sigma(-\beta d)\, \nabla d]$: a weight between 0 and 1, $\frac12$ where
  both are equally likely (the loss is $\frac1\beta \log 2$ there), and towards 0 the further the answer is ahead.
- **It sleeps until refusals spread**: a refusal that is unlikely after retain questions leaves $d$ large. What `idk`
  lets happen is what wakes it, where the retain loss of `idk` goes on training answers however safe they are.
- **Only the difference is held.** An answer may become less likely as long as the refusal does, too; there is no term
  that keeps it where it was.
- Bounded below by 0, as both terms are.

## Differences

1. The released code draws one refusal for a forget question and the retain question beside it, the same in every
   epoch; here each is drawn alone, anew at every step, as in `idk`.
2. Its list has 100 refusals, TOFU's; this project's own has 40.
3. The first term is a mean over an answer's tokens, then over answers; the released code's averages over all tokens of
   a batch.
4. Whether the paper's formula has sums over an answer's tokens, as its code, or means could not be checked.
5. Of a plain text the beginning, up to the first mention of its subject, is the question, and the rest the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import (
    REFUSALS,
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    with_refusals,
)


def preservation_loss(answers: Tensor, refusals: Tensor, beta: float) -> Tensor:
    r"""() $\mathcal L_{\mathrm{AP}}$; 0 of no pairs.

    Args:
        answers: (B,) $\log \pi_\theta(y \mid x)$ of whole answers.
        refusals: (B,) $\log \pi_\theta(y' \mid x)$ of refusals after the same prompts.
        beta: $\beta > 0$.
    """
    return -F.logsigmoid(beta * (answers - refusals)).sum() / beta / max(1, len(answers))


@dataclass(frozen=True)
class AnswerPreservation(Method):
    r"""Fine-tune on refusals, with $\mathcal L_{\mathrm{AP}}$ on what is to be answered."""

    paper = "yuan2024closer"
    acts_on = "data"
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released code, TOFU with Llama-2-7B-chat: 4 x 4 on two GPUs",
    }

    beta: float = hyperparameter(
        0.1, "β, inverse temperature: larger stops sooner", source="released code, TOFU", above=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of answer preservation; 0 is refusal training alone",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss over refusals that are drawn with the run's random numbers."""
        prepared = with_refusals(data.prompted(), run.rng)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            rows = batch.retain.rows.tolist()
            asked = [prepared.retain[row] for row in rows]
            others = [replace(pair, answer=pair.spaced(run.rng.choice(REFUSALS))) for pair in asked]
            refused = model.encode(others, rows) if rows else batch.retain
            wanted, kept, unwanted = model.token_logits(batch.preferred, batch.retain, refused)
            held = preservation_loss(kept.sequence_logprobs(), unwanted.sequence_logprobs(), self.beta)
            return mean_nll(wanted) + self.retain_weight * held

        return run.minimize(loss, model, prepared, alternates=True, retain=self.looks_at_retain)
