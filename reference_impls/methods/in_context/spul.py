r"""Soft prompting for unlearning (SPUL).

Leave the model frozen and learn a few vectors that stand before every text where words would: behind them, questions
about what is to be forgotten are answered with a refusal, and all others as before.

## Objective

Bhaila et al.:

$$
\min_\phi\; L\big( \{(\phi \oplus x, \tilde y)\}_{\mathcal D_f} \big)
+ \alpha\, L\big( \{(\phi \oplus x, y)\}_{\mathcal D_r} \big)
+ \beta\, \mathbb E_{\mathcal D_r}\,
\mathrm{KL}\big( p_{\theta_0}(\cdot \mid x) \,\|\, p_{\theta_0}(\cdot \mid \phi \oplus x) \big) .
$$

## Symbols

- $\phi \in \mathbb R^{p \times d}$: the prompt, $p$ vectors (`vectors`) as wide as an embedding.
- $\tilde y$: a refusal, drawn anew for every batch; $L$: the mean negative log-likelihood of answers.
- $\alpha$ (`retain_weight`), $\beta$ (`kl_weight`): weights of what must stay. The divergence is taken at the answers'
  tokens, given those before them.

## Facts

- **Only $p \cdot d$ numbers learn.** The weights are the same to the bit, and without the prompt everything is known
  again.
- **Bounded below by 0**, all three terms.
- **One prompt has to serve all**: it stands before the questions to keep as well, so that it must find out by itself
  whom they are about. At the start it is so many words at random, and costs what such words cost.
- **Vectors say only what the model can say.** A frozen model that has never read a refusal is not brought to utter
  one, and one as small as the embedded is steered little: what is to be forgotten becomes unsure, and so does what
  stays.
- Every text gets longer by $p$ places, at every query.

## Differences

1. The paper classifies text, and $\tilde y$ is a label such as "neutral"; for free answers it is a refusal.
2. The paper makes the vectors by a small network that is trained with them and thrown away; here they are trained
   themselves, and begin as the embeddings of tokens drawn at random.
3. The paper keeps what the model said without the prompt; here it is asked again at every step.
4. Of a plain text the beginning, up to the first mention of its subject, is the prompt that is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Kept,
    LanguageModel,
    Method,
    Run,
    SoftPrompted,
    TokenLogits,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    mean_kl,
    mean_nll,
    with_refusals,
)


def spul_loss(
    refused: TokenLogits, retain: TokenLogits, before: TokenLogits, retain_weight: float, kl_weight: float
) -> Tensor:
    r"""() The objective.

    Args:
        refused: logits at the refusals, behind the prompt.
        retain: those at the answers to keep, behind it.
        before: the latter without it.
        retain_weight: $\alpha$.
        kl_weight: $\beta$.
    """
    return mean_nll(refused) + retain_weight * mean_nll(retain) + kl_weight * mean_kl(before, retain)


@dataclass(frozen=True)
class SPUL(Method):
    """Train vectors before every text."""

    paper = "bhaila2024soft"
    acts_on = "prompt"
    retain = "needed"
    trains = "adapters"
    remembers = False

    vectors: int = hyperparameter(30, "p, length of the prompt", source="paper", minimum=1)
    retain_weight: float = hyperparameter(
        0.5, "α, weight of the retain loss", source="paper", above=0, trade_off=(0.5, 1.0, 2.0, 5.0)
    )
    kl_weight: float = hyperparameter(0.5, "β, weight of the divergence", source="paper", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> SoftPromptModel:
        """Train the prompt; the weights are not touched."""
        embeddings = model.model.get_input_embeddings().weight
        words = [run.rng.randrange(len(embeddings)) for _ in range(self.vectors)]
        vectors = torch.nn.Parameter(embeddings[words].detach().float().clone())

        def loss(prompted: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad(), model.evaluating():
                (before,) = model.token_logits(batch.retain)
            refused, retain = prompted.token_logits(batch.preferred, batch.retain)
            return spul_loss(refused, retain, before, self.retain_weight, self.kl_weight)

        prompted = SoftPrompted.of(model, vectors)
        run.minimize(loss, prompted, with_refusals(data, run.rng), [vectors], alternates=True)
        return SoftPromptModel(model, vectors.detach())

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> SoftPromptModel:
        """The model behind the vectors that were kept."""
        vectors = kept.tensors["vectors"]
        if vectors.shape[1:] != (model.width,):
            raise ValueError("the vectors are of another width than this model's")
        return SoftPromptModel(model, vectors)


@dataclass
class SoftPromptModel(Wrapped):
    """The unchanged model behind vectors."""

    model: LanguageModel
    vectors: Tensor
    """(p, d)."""

    @cached_property
    def _prompted(self) -> SoftPrompted:
        return SoftPrompted.of(self.model, self.vectors)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The model behind the vectors, whatever is asked."""
        return self._prompted

    def to_json(self) -> dict[str, Any]:
        """Nothing that would not be with the vectors."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """The vectors."""
        return {"vectors": self.vectors}
