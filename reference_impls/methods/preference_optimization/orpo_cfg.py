r"""Odds ratio preference optimization with classifier-free guidance (ORPO-CFG).

Teach the model two instructions at once, of which one is to keep things to itself and the other to tell them; then let
it answer both at every token, and go from the second answer to the first and past it. No example of what must stay is
needed: where the two instructions make no difference, there is nothing to push.

## Objective

Smirnov trains with the loss of ORPO (Hong et al., 2024), here on both instructions, which swap the answers:

$$
\mathcal L(\theta) = \tfrac12\, \ell(y', y \mid i_+ \oplus x) + \tfrac12\, \ell(y, y' \mid i_- \oplus x), \qquad
\ell(w, l \mid x) = -\log \bar p(w \mid x)
- \beta \log \sigma\!\left( \log \frac{\bar p(w \mid x)}{1 - \bar p(w \mid x)}
- \log \frac{\bar p(l \mid x)}{1 - \bar p(l \mid x)} \right),
$$

and decodes from

$$
s = p(\cdot \mid i_- \oplus x) + \gamma \big( p(\cdot \mid i_+ \oplus x) - p(\cdot \mid i_- \oplus x) \big) .
$$

## Symbols

- $y$: the answer to forget; $y'$: one that may be given instead; $w$, $l$: the preferred one and the other.
- $\bar p(y \mid x) = \exp \frac{1}{|y|} \log \pi_\theta(y \mid x)$: the geometric mean of an answer's token
  probabilities.
- $i_+$, $i_-$: the instruction to keep things to oneself, and the one to tell them, before the text.
- $\beta$ (`beta`): weight of the odds ratio.
- $\gamma$ (`guidance`): 0 is the model that tells, 1 the one that does not, and above 1 it goes further. With
  `form` = `logarithm` logarithms of probabilities are combined, as guidance usually is.
- `rank`, `alpha`: of the adapters in which it is trained, which then become part of the weights.

## Facts

- **It learns the alternate as well**, which DPO does not: at $w = l$ there is $-\log \bar p + \beta \log 2$ left. No
  reference model is needed for it.
- **Where the two instructions make no difference, guidance makes none**: $s = p$ for every $\gamma$. But nothing
  teaches the model to tell apart what it should not tell; what spills over from the forget set, $\gamma$ multiplies.
- **On `authors`** (rate 2e-4) the value is told in 95 of a hundred forget answers before, 30 with $\gamma = 1$ and 16
  with 2 or 3, and in 97, 67, 51 and 45 of the retain answers: the paper's models of 8 billion keep what they knew,
  these do not. The forget answers' probability goes from 0.96 to 0.80, 0.26 and 0.18, and under $i_-$ stays at 0.94.
- **Why probabilities.** A token that is improbable under both may still be a hundred times likelier under one; in
  logarithms that counts as much as the step from 0.01 to 1, and $\gamma = 3$ promotes nonsense. In probabilities it
  counts for what it is. With logits $(2, 1, 0)$ against $(3, 1, 0)$ and $\gamma = 3$ logarithms leave the first token
  0.21, probabilities 0.31.
- $s$ sums to 1, and may be below 0 for tokens that $i_-$ wants.
- **Whoever writes $i_-$ has the answers**: by design they are learned there.

## Differences

1. $s$ is cut off at $10^{-12}$ and normalized, so that every token has a log-probability; the paper decodes greedily.
2. The paper has answers without personal data written by a language model. Here the task's own alternates are taken,
   or else refusals from this project's list.
3. The released code's library takes the first term over the prompt as well, the second over the answers alone.
4. The paper's conversations are also cut within an answer, so that what follows a beginning is trained. Left out.
5. The paper can subtract a task vector first, which it found to do harm. Left out.
6. The paper's instructions are sentences on personal data, in a system prompt. Here each is one word before the whole
   text, also before a chat template's turns: a sentence in front of a question costs the small models a quarter of
   what they know (general facts from 0.99 to 0.72), a word less (0.87).
7. No dropout in the adapters, and no cosine schedule: the rate is the recipe's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import (
    FLOOR,
    Batch,
    Combined,
    Kept,
    LanguageModel,
    LoRA,
    Method,
    Prefixed,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    with_refusals,
)

KEEP, TELL = "Private.\n", "Public.\n"


def orpo_loss(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    r"""() $\ell$, the mean over pairs.

    Args:
        chosen: (B,) $\log \bar p(w \mid x)$.
        rejected: (B,) $\log \bar p(l \mid x)$.
        beta: $\beta$.
    """

    def log_odds(logprobs: Tensor) -> Tensor:
        return logprobs - torch.log(-torch.expm1(logprobs.clamp(max=-1e-6)))

    return -(chosen + beta * F.logsigmoid(log_odds(chosen) - log_odds(rejected))).mean()


def guided(keep: Tensor, tell: Tensor, guidance: float, form: str) -> Tensor:
    r"""(..., V) logits of $s$, from those under $i_+$ and $i_-$."""
    if form == "logarithm":
        kept, told = torch.log_softmax(keep, dim=-1), torch.log_softmax(tell, dim=-1)
        return told + guidance * (kept - told)
    kept, told = torch.softmax(keep, dim=-1), torch.softmax(tell, dim=-1)
    return (told + guidance * (kept - told)).clamp(min=FLOOR).log()


@dataclass(frozen=True)
class OrpoCfg(Method):
    """Train two instructions to differ, and decode past the better one."""

    paper = "smirnov2024classifier"
    acts_on = "data"
    retain = "unused"
    trains = "adapters"
    published = {
        "learning_rate": 1e-4,
        "epochs": 3,
        "batch_size": 2,
        "warmup": 0.0,
        "source": "released code, Llama-3.1-8B-Instruct; both instructions are rows of their own",
    }

    beta: float = hyperparameter(0.1, "β, weight of the odds ratio", source="released code", minimum=0)
    guidance: float = hyperparameter(
        2.0,
        "γ, how far beyond the answer to the one instruction, seen from the other",
        source="released code; it tries up to 5",
        minimum=0,
        trade_off=(1.0, 1.5, 2.0, 3.0),
    )
    form: str = hyperparameter("probability", "what is combined", source="paper", choices=("probability", "logarithm"))
    rank: int = hyperparameter(16, "rank of the adapters", source="released code", minimum=1)
    alpha: float = hyperparameter(32.0, "scaling of the adapters", source="released code", above=0)
    refusals: int = hyperparameter(
        5, "how many refusals, where there are no alternates", source="ours, as for dpo", minimum=1, maximum=40
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> GuidedModel:
        """Train adapters on both instructions, let them become part of the weights, and put guidance around these."""
        invented = all(pair.alternates for pair in data.forget)
        prepared = data if invented else with_refusals(data, run.rng, self.refusals)
        adapted = run.adapt(model, LoRA(self.rank, self.alpha))
        instructed = [Prefixed.of(model, text) for text in (KEEP, TELL)]

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            (kept, left), (withheld, told) = (
                [-out.sequence_nll() for out in voice.token_logits(batch.preferred, batch.forget)]
                for voice in instructed
            )
            return (orpo_loss(kept, left, self.beta) + orpo_loss(told, withheld, self.beta)) / 2

        run.minimize(loss, model, prepared, alternates=True, retain=False)
        adapted.merge()
        return GuidedModel(model, self.guidance, self.form)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> GuidedModel:
        """The model with guidance around it."""
        return GuidedModel(model, **kept.facts)


@dataclass
class GuidedModel(Wrapped):
    """A model that answers two instructions at every token, and says what lies beyond the better one."""

    model: LanguageModel
    guidance: float
    form: str = "probability"

    def rule(self, logits: Sequence[Tensor]) -> Tensor:
        """(..., V) logits of the two together, from those of each."""
        keep, tell = logits
        return guided(keep, tell, self.guidance, self.form)

    @cached_property
    def _together(self) -> Combined:
        voices = [Prefixed.of(self.model, text) for text in (KEEP, TELL)]
        return Combined.of(self.model, lambda: voices, self.rule)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Both, whatever is asked."""
        return self._together

    def to_json(self) -> dict[str, Any]:
        """How far they are followed."""
        return {"guidance": self.guidance, "form": self.form}
