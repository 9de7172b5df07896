r"""Unlearning from logit difference (ULD).

Learning is easier to steer than forgetting. So train a small assistant with the two goals reversed, to know what is to
be forgotten and nothing of what is to be kept, and subtract what it expects from what the model expects. The model
itself is never touched.

## Objective

Ji et al., for an assistant $\phi$ beside the model $\theta_0$:

$$
\min_\phi\; L(\mathcal D_f; \phi) + \beta\, \mathbb E_{(x,y) \sim \mathcal D_r'}\,
\mathrm{KL}\!\left(U \,\middle\|\, p_\phi(\cdot \mid x, y_{<t})\right),
\qquad
z(x) = z_{\theta_0}(x) - \alpha\, \tilde z_\phi(x) .
$$

## Symbols

- $z$: logits of the next token; answers are written and scored by $\mathrm{softmax}(z)$.
- $L(\mathcal D_f; \phi)$: the mean negative log-likelihood of the answers to forget.
- $U$: the uniform distribution, so that $\mathrm{KL}(U \| p) = -\log V - \frac1V \sum_v \log p_v$ over $V$ tokens.
- $\mathcal D_r'$: the retain set, and the questions to forget with *wrong* answers, weighted by $\beta$
  (`retain_weight`): the assistant has to know the fact, not how such answers sound.
- $\tilde z_\phi$: $z_\phi$ at the tokens that $\theta_0$ finds plausible, 0 at the others. Plausible is what has at
  least $\tau$ (`plausible`) times the probability of the likeliest token, or is among the $\tau V$ likeliest.
- $\alpha$ (`strength`): how much is subtracted.
- $\phi$: the first blocks of $\theta_0$ (a `share` of them) with its norm and head, all frozen, and a low-rank
  adapter of rank $r$ (`rank`) and scaling `alpha` in them, which alone learns.

## Facts

- **Bounded below by 0**, both terms: remembering has an end where forgetting has none.
- **Where the assistant is uniform, nothing changes**: logits that are all alike shift every token alike. How well the
  rest is kept is how well the assistant knows nothing of it.
- **The model is the same to the bit**, and without the assistant everything is known again.
- $z$ is not bounded: an assistant that is very sure pushes its token below all others, and what wins then is whatever
  $\theta_0$ finds second best. The filter keeps out what it finds absurd.

## Differences

1. The paper adds paraphrases of the answers to forget, written by a language model, to what is remembered; there are
   none here. Its wrong answers are written by one, too; here they are other subjects' answers with the name
   exchanged.
2. The released code evens out the assistant at every token of a sequence, padding included; here at the answers'
   tokens.
3. The paper takes 8 of 32 blocks. Of four, one is too little to remember with.
4. The released code takes as many likeliest tokens as $\tau V$ rounded down, and all of them where that is none; here
   one at least.
5. Of a plain text the beginning, up to the first mention of its subject, is the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Combined,
    Kept,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    adapter_weights,
    first_blocks,
    flipped_answer,
    hyperparameter,
    mean_nll,
    not_adapted,
    with_adapter,
)


def uld_loss(forget: TokenLogits, others: Sequence[TokenLogits], retain_weight: float) -> Tensor:
    r"""() The assistant's loss.

    Args:
        forget: its logits at the answers to forget.
        others: those at the answers of $\mathcal D_r'$, in several parts.
        retain_weight: $\beta$.
    """
    uneven = [out.mean_by_sequence(from_uniform(out.logits)) for out in others]
    return mean_nll(forget) + retain_weight * torch.cat(uneven).mean()


def from_uniform(logits: Tensor) -> Tensor:
    r"""(N,) $\mathrm{KL}(U \| p)$ of (N, V) logits."""
    return -math.log(logits.shape[1]) - torch.log_softmax(logits, dim=1).mean(dim=1)


def difference(base: Tensor, assistant: Tensor, strength: float, plausible: float) -> Tensor:
    r"""(..., V) $z$.

    Args:
        base: (..., V) $z_{\theta_0}$.
        assistant: (..., V) $z_\phi$.
        strength: $\alpha$.
        plausible: $\tau$.
    """
    count = max(1, int(plausible * base.shape[-1]))
    among = base.topk(count, dim=-1).values[..., -1:]
    near = base.amax(dim=-1, keepdim=True) + math.log(plausible)
    return base - strength * assistant.where(base >= torch.minimum(among, near), 0.0)


@dataclass(frozen=True)
class ULD(Method):
    """Train an assistant that knows what is to be forgotten, and subtract its logits."""

    paper = "ji2024reversing"
    acts_on = "decoding"
    retain = "needed"
    trains = "adapters"
    copies = 1
    parts = ("blocks",)
    remembers = False

    strength: float = hyperparameter(
        0.8, "α, how much is subtracted", source="code, TOFU", minimum=0, trade_off=(0.4, 0.6, 0.8, 1.2)
    )
    retain_weight: float = hyperparameter(5.0, "β, weight of the assistant's ignorance", source="code", above=0)
    plausible: float = hyperparameter(0.01, "τ, bound of the plausible", source="code, TOFU", above=0, maximum=1)
    share: float = hyperparameter(
        0.5, "of the blocks, the assistant's", source="ours; code: 8 of 32", above=0, maximum=1
    )
    rank: int = hyperparameter(16, "r, rank of the adapter", source="code", minimum=1)
    alpha: float = hyperparameter(32.0, "scaling of the adapter", source="code", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> AssistedModel:
        """Train the assistant; the model is not touched."""
        asked = data.prompted()
        wrong = [replace(pair, alternates=(flipped_answer(pair, asked.others, run.rng),)) for pair in asked.forget]
        assistant = self.untrained(model)
        run.tell(not_adapted(assistant.model))
        weights = [weight for _, weight in adapter_weights(assistant.model)]

        def loss(assistant: LanguageModel, batch: Batch) -> Tensor:
            forget, *retained = assistant.token_logits(batch.forget, batch.retain, batch.preferred)
            return uld_loss(forget, retained, self.retain_weight)

        run.minimize(loss, assistant, replace(asked, forget=tuple(wrong)), weights, alternates=True)
        return AssistedModel(model, assistant, self)

    def untrained(self, model: LanguageModel) -> LanguageModel:
        """The model's first blocks, with an adapter in them that changes nothing yet."""
        assistant = first_blocks(model, self.share)
        with_adapter(assistant.model, self.rank, self.alpha)
        return assistant

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> AssistedModel:
        """The model beside the assistant that was trained."""
        method = cls(**kept.facts)
        assistant = method.untrained(model)
        kept.put_into(adapter_weights(assistant.model))
        return AssistedModel(model, assistant, method)


@dataclass
class AssistedModel(Wrapped):
    """The unchanged model, less what its assistant expects."""

    model: LanguageModel
    assistant: LanguageModel
    method: ULD

    @cached_property
    def _together(self) -> Combined:
        def less(logits: Sequence[Tensor]) -> Tensor:
            base, assistant = logits
            return difference(base, assistant, self.method.strength, self.method.plausible)

        return Combined.of(self.model, lambda: (self.model, self.assistant), less)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Both, whatever is asked."""
        return self._together

    def to_json(self) -> dict[str, Any]:
        """How the assistant was made, and how it is used."""
        return asdict(self.method)

    def tensors(self) -> dict[str, Tensor]:
        """The adapter's weights."""
        return {name: weight.detach() for name, weight in adapter_weights(self.assistant.model)}
