r"""Cross-model control (CMC).

A tiny language model learns to correct the logits of a large one that is left alone, and then is put beside other large
models as well: what fine-tuning does to logits is much the same in all of them. One training serves many.

## Objective

Wu et al., as in their released code: with a template $\theta_0$ and a tiny model $\phi$, trained by the loss of the two
together, here gradient difference,

$$
z(x) = \log \mathrm{softmax}\, z_{\theta_0}(x) + \gamma\, z_\phi(x),
\qquad
\mathcal L(\phi) = -L(\mathcal D_f; p) + \alpha\, L(\mathcal D_r; p),
\qquad
p = \mathrm{softmax}(z),
$$

with $\gamma = 1$ while it is trained. Beside another model $\theta$ it is $\log \mathrm{softmax}\, z_\theta$ that
$\gamma\, z_\phi$ is added to.

## Symbols

- $z$: logits of the next token; $\theta_0$ is frozen, $\phi$ learns.
- $\gamma$ (`strength`): how much of the tiny model's logits is added.
- $L(\mathcal D; p)$: the mean negative log-likelihood of answers, weighted by $\alpha$ (`retain_weight`; 0 gives
  gradient ascent).
- A `share` of the model's blocks, the first of them, makes $\phi$, with a head of its own that is 0 at first.

## Facts

- **It starts where the model is**, exactly, since the head is 0; the first step moves the head alone.
- **Probabilities, not logits, are corrected**: what a model adds to all of its logits makes no difference to
  $\log \mathrm{softmax}\, z$, so models of unlike scales are met alike.
- **Two models run at each token**, where `delta-unlearning` needs a third, the small one before training, to subtract.
- **It knows nothing of what the other model knows.** Where that gives an answer another probability than the template
  did, the correction is too large or too small.
- **Unbounded below**, as ascent is anywhere. **The model is the same to the bit**, and without $\phi$ it knows all.

## Differences

1. The paper's $\phi$ is a small language model that was trained on its own, whose logits are added from the start. No
   such model comes with the embedded ones, so $\phi$ is the first blocks of the template, and its head starts at 0.
2. For models with other vocabularies the paper maps tokens, by equal text or by the nearest of those of which one is
   the beginning of the other. Here the other model has the template's tokenizer.
3. The paper tries other losses on instructions; of unlearning it has gradient difference, as here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.toolkit import (
    Batch,
    Combined,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    first_blocks,
    hyperparameter,
    mean_nll,
)


def controlled(base: Tensor, delta: Tensor, strength: float) -> Tensor:
    r"""(..., V) $z$, from (..., V) logits of both."""
    return torch.log_softmax(base, dim=-1) + strength * delta


def tiny(model: LanguageModel, share: float) -> LanguageModel:
    r"""$\phi$ before training: the first blocks of a model, which say nothing yet."""
    small = first_blocks(model, share)
    before = small.model.get_output_embeddings().weight
    head = nn.Linear(before.shape[1], before.shape[0], bias=False, device=before.device, dtype=before.dtype)
    nn.init.zeros_(head.weight)
    small.model.set_output_embeddings(head)
    return small


@dataclass(frozen=True)
class CMC(Method):
    """Train a tiny model to correct a large one."""

    paper = "wu2024cross"
    acts_on = "decoding"
    retain = "optional"
    trains = "adapters"
    copies = 1
    parts = ("blocks",)
    remembers = False

    strength: float = hyperparameter(1.0, "γ, how much is added when it is used", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    share: float = hyperparameter(0.25, "of the blocks, the tiny model's", source="ours", above=0, maximum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> ControlledModel:
        """Train the tiny model; the large one is not touched."""
        delta = tiny(model, self.share)

        def loss(delta: LanguageModel, batch: Batch) -> Tensor:
            given = batch.forget, batch.retain
            with torch.no_grad():
                fixed = model.token_logits(*given)
            forget, retain = (
                now.with_logits(controlled(base.logits, now.logits, 1.0))
                for now, base in zip(delta.token_logits(*given), fixed, strict=True)
            )
            return self.retain_weight * mean_nll(retain) - mean_nll(forget)

        run.minimize(loss, delta, data, retain=self.looks_at_retain)
        return ControlledModel(model, delta, self.share, self.strength)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> ControlledModel:
        """A model, the template or one like it, beside the tiny one that was trained."""
        delta = tiny(model, float(kept.facts["share"]))
        kept.put_into(delta.model.named_parameters())
        return ControlledModel(model, delta, **kept.facts)


@dataclass
class ControlledModel(Wrapped):
    """An unchanged model whose logits a tiny one corrects."""

    model: LanguageModel
    delta: LanguageModel
    share: float
    strength: float

    @cached_property
    def _together(self) -> Combined:
        def rule(logits: Sequence[Tensor]) -> Tensor:
            base, delta = logits
            return controlled(base, delta, self.strength)

        return Combined.of(self.model, lambda: (self.model, self.delta), rule)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Both, whatever is asked."""
        return self._together

    def to_json(self) -> dict[str, Any]:
        """How large the tiny model is, and how strong."""
        return {"share": self.share, "strength": self.strength}

    def tensors(self) -> dict[str, Tensor]:
        """The tiny model's weights."""
        return {name: weight.detach() for name, weight in self.delta.model.named_parameters()}
