r"""Efficient unlearning layers (EUL).

Leave the model as it is and put a small layer behind the feed-forward part of each block. A selective student: on what
is kept, the layers learn to change nothing; on what is forgotten, to disagree with the model that they sit in.

## Objective

Chen and Yang, with $F$ the original model and $F_u$ the same with unlearning layers:

$$
\mathcal L_{\mathrm{KL}} = \alpha\, \mathrm{KL}_{\mathcal D_r}(F \,\|\, F_u) - \mathrm{KL}_{\mathcal D_f}(F \,\|\, F_u),
\qquad
\mathcal L_{\mathrm{TASK}} = L(\mathcal D_r; F_u), \qquad \mathcal L_{\mathrm{LM}} = - L(\mathcal D_f; F_u),
$$

$$
\mathcal L_{\mathrm{EUL}} = \mathcal L_{\mathrm{KL}} + \lambda\, \mathcal L_{\mathrm{TASK}}
+ \gamma\, \mathcal L_{\mathrm{LM}},
\qquad
h \leftarrow h + W_{\mathrm{up}}\, \mathrm{ReLU}(W_{\mathrm{down}} h) .
$$

## Symbols

- $\mathrm{KL}_{\mathcal D}$, $L(\mathcal D; \cdot)$: mean divergence and mean negative log-likelihood at the answers'
  tokens.
- $\alpha$ (`keep_weight`), $\lambda$ (`task_weight`), $\gamma$ (`lm_weight`): weights of the parts.
- $h$: what a block's feed-forward part writes; $W_{\mathrm{down}} \in \mathbb R^{w \times d}$,
  $W_{\mathrm{up}} \in \mathbb R^{d \times w}$ the layer behind it, of width $w$ (`width`). Only these are trained.

## Facts

- **The model is still there, to the bit**: take the layers out, and everything is known again. It is a way to serve
  requests with few weights, and no protection from who holds the weights.
- **Unbounded below**, twice: both the divergence on the forget set and its likelihood loss can grow for ever.
- **The first step is ascent and task alone.** $W_{\mathrm{up}} = 0$ at the start, so $F_u = F$, and both divergences
  have value and gradient 0.
- On `authors` it is one step of the learning rate from answers that hardly change to one word said over and over, and
  the seed decides how far it goes.
- Where $F$ is certain of an answer, $-\mathrm{KL}_{\mathcal D_f}$ is gradient ascent once more: the divergence from a
  point is a negative log-likelihood.

## Differences

1. The paper unlearns in T5 and takes the masked-language-model loss for $\mathcal L_{\mathrm{LM}}$; a causal model's
   own loss stands in its place, at the answers' tokens.
2. The paper alternates an epoch of retain data and one of forget data; here every step sees both.
3. One request is served. The paper fuses the layers of several requests in closed form, by least squares on their
   inputs, and does not say what becomes of biases and of the second matrix of a layer.
4. The released code has the layers but not the objective; it is taken from the paper's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.toolkit import (
    Batch,
    Kept,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    Wrapped,
    hyperparameter,
    mean_kl,
    mean_nll,
)


def eul_loss(
    forget: TokenLogits,
    forget_before: TokenLogits,
    retain: TokenLogits,
    retain_before: TokenLogits,
    keep_weight: float,
    task_weight: float,
    lm_weight: float,
) -> Tensor:
    r"""() $\mathcal L_{\mathrm{EUL}}$.

    Args:
        forget: logits of $F_u$ at the answers to forget.
        forget_before: those of $F$.
        retain: logits of $F_u$ at the answers to keep.
        retain_before: those of $F$.
        keep_weight: $\alpha$.
        task_weight: $\lambda$.
        lm_weight: $\gamma$.
    """
    divergence = keep_weight * mean_kl(retain_before, retain) - mean_kl(forget_before, forget)
    return divergence + task_weight * mean_nll(retain) - lm_weight * mean_nll(forget)


@dataclass(frozen=True)
class EUL(Method):
    """Train small layers inside the frozen model."""

    paper = "chen2023unlearn"
    acts_on = "activations"
    retain = "needed"
    trains = "adapters"
    copies = 1
    parts = ("memories",)
    remembers = False
    published = {
        "learning_rate": 5e-5,
        "warmup": 0.06,
        "source": "paper, T5-3B; 3 or 5 epochs",
    }

    keep_weight: float = hyperparameter(0.8, "α, weight of the divergence on the retain set", source="paper", minimum=0)
    task_weight: float = hyperparameter(1.0, "λ, weight of the retain loss", source="paper", minimum=0)
    lm_weight: float = hyperparameter(
        0.2, "γ, weight of gradient ascent", source="paper", minimum=0, trade_off=(0.1, 0.2, 0.5, 0.8, 1.0)
    )
    width: int = hyperparameter(16, "w, width of a layer", source="ours; the paper: 0.5% of the weights", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LayeredModel:
        """Insert the layers, and train nothing else."""
        before = model.frozen()
        layered = LayeredModel(model, self.width)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                forget_before, retain_before = before.token_logits(batch.forget, batch.retain)
            forget, retain = model.token_logits(batch.forget, batch.retain)
            weights = self.keep_weight, self.task_weight, self.lm_weight
            return eul_loss(forget, forget_before, retain, retain_before, *weights)

        run.minimize(loss, model, data, list(layered.layers.parameters()))
        return layered

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> LayeredModel:
        """The original model with the layers that were trained."""
        layered = LayeredModel(model, int(kept.facts["width"]))
        kept.load_into(layered.layers)
        return layered


class UnlearningLayer(nn.Module):
    r"""$h + W_{\mathrm{up}}\, \mathrm{ReLU}(W_{\mathrm{down}} h)$, the identity at the start."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(size, width, bias=False)
        self.up = nn.Linear(width, size, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., d) What goes on to the residual stream."""
        changed: Tensor = hidden + self.up(torch.relu(self.down(hidden)))
        return changed


class LayeredModel(Wrapped):
    """The original model, with an unlearning layer behind the feed-forward part of each block."""

    def __init__(self, model: LanguageModel, width: int) -> None:
        self.model = model
        self.width = width
        places = model.mlp_outputs(range(model.layers))
        self.layers = nn.ModuleList(UnlearningLayer(model.width, width) for _ in places)
        self.layers.to(device=model.device, dtype=model.model.dtype)
        self._hooks = [
            place.register_forward_hook(lambda module, given, out, layer=layer: layer(out))
            for place, layer in zip(places, self.layers, strict=True)
        ]

    def bare(self) -> LanguageModel:
        """See :class:`~reference_impls.toolkit.Wrapper`: the original model, without the layers."""
        original = self.model.copy()
        ours = {hook.id for hook in self._hooks}  # the copy came with the layers in it
        for module in original.model.modules():
            for ident in ours.intersection(module._forward_hooks):
                del module._forward_hooks[ident]
        return original

    def remove(self) -> LanguageModel:
        """Take the layers out; returns the original model."""
        for hook in self._hooks:
            hook.remove()
        return self.model

    def to_json(self) -> dict[str, Any]:
        """How wide the layers are."""
        return {"width": self.width}

    def tensors(self) -> dict[str, Tensor]:
        """The layers' weights."""
        return {name: tensor.detach() for name, tensor in self.layers.state_dict().items()}
