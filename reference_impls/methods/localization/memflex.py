r"""MemFlex.

Not every tensor of the weights takes part in what is to be forgotten, and some serve what stays in the same way. Two
gradients tell: a tensor is trained if the forget set pulls hard at it, and elsewhere than the retain set does.

## Objective

Tian et al., with the gradients $g_f^{(k)}$, $g_r^{(k)}$ that answers with random tokens have in tensor $k$:

$$
S = \left\{ k : \cos\big( g_f^{(k)}, g_r^{(k)} \big) < \mu \;\wedge\;
\tfrac{1}{n_k} \lVert g_f^{(k)} \rVert_1 > \sigma \right\},
\qquad
\min_{\theta_k,\, k \in S}\; b\, L(\mathcal D_r; \theta) - a\, L(\mathcal D_f; \theta) .
$$

## Symbols

- $g^{(k)}$: the gradient of the mean negative log-likelihood in tensor $k$ of $n_k$ weights, at answers in which half
  of the tokens are drawn at random, over all pairs, each with several of them (`random_answers`).
- $\mu$ (`similarity`): how alike in direction the two may be.
- $\sigma$: how large the forget gradient has to be; here so that a share (`share`) of all tensors is above it.
- $L$: the mean negative log-likelihood of answers; $a$ (`forget_weight`), $b$ (`retain_weight`).

## Facts

- **Random tokens make a model that knows both sets by heart answer for them**: at their own answers both gradients
  would be near 0. What is left is where a set's prompts are read, more than what is answered to them.
- **The cosine does not depend on how hard either set pulls**; the magnitude looks at the forget set alone.
- **Two sets that are alike leave nothing**: of the same data the cosine is 1 everywhere, and $S$ is empty. That is an
  error, for what is trained has to be something.
- With every tensor in $S$ it would be `grad-diff`. The loss is unbounded below all the same, in fewer weights.
- A tensor is taken whole or not at all. `wagle`, `salun` and `sure` choose inside of tensors.

## Differences

1. The paper's tensors are the factors of low-rank adapters with which the model learned both sets. Here the model has
   none, and they are its own matrices and vectors.
2. $\sigma$ is $6 \cdot 10^{-4}$ in the paper, which goes with the size of one model's gradients; here it is a quantile.
3. The released code draws the places of random tokens one by one, so that some are drawn twice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from reference_impls.toolkit import (
    IGNORE,
    Batch,
    Encoded,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    UsageError,
    cosine,
    hyperparameter,
    mean_nll,
    most_salient,
    nll_gradient,
)


def half_random(batch: Encoded, tokens: Sequence[int], end: int | None, rng: random.Random) -> Encoded:
    """A batch whose answers have half of their tokens, but for the mark of their end, drawn at random.

    Args:
        batch: pairs as tokens.
        tokens: what is drawn from.
        end: the mark, if there is one.
        rng: draws.
    """
    input_ids, labels = batch.input_ids.clone(), batch.labels.clone()
    for row, answer in enumerate((labels != IGNORE) & (labels != (IGNORE if end is None else end))):
        places = answer.nonzero()[:, 0].tolist()
        for place in rng.sample(places, len(places) // 2):
            input_ids[row, place] = labels[row, place] = rng.choice(tokens)
    return replace(batch, input_ids=input_ids, labels=labels)


def located(forget: Gradient, retain: Gradient, similarity: float, share: float) -> list[Tensor]:
    r"""The weight tensors in $S$.

    Args:
        forget: $g_f$.
        retain: $g_r$.
        similarity: $\mu$.
        share: of the tensors, how many have a forget gradient above $\sigma$.
    """
    magnitudes = torch.stack([part.abs().mean() for part in forget.parts])
    cosines = [cosine(one, other) for one, other in zip(forget.parts, retain.parts, strict=True)]
    (pulled,) = most_salient([magnitudes], share)
    apart = torch.stack(cosines) < similarity
    return [weight for weight, chosen in zip(forget.weights, (pulled & apart).tolist(), strict=True) if chosen]


@dataclass(frozen=True)
class MemFlex(Method):
    r"""Minimise the difference of the two losses in the tensors of $S$."""

    paper = "tian2024forget"
    acts_on = "gradients"
    retain = "needed"
    trains = "part"
    remembers = False
    published = {
        "epochs": 2,
        "batch_size": 16,
        "weight_decay": 0.0,
        "warmup": 0.03,
        "source": "released code, Llama-2-7B-chat; its learning rate (3e-4) is for low-rank adapters",
    }

    similarity: float = hyperparameter(
        0.92, "μ, cosine below which two gradients point apart", source="released code", minimum=-1, maximum=1
    )
    share: float = hyperparameter(
        0.5, "share of the tensors whose forget gradient is large", source="ours", above=0, below=1
    )
    random_answers: int = hyperparameter(3, "random answers to each pair", source="released code", minimum=1)
    forget_weight: float = hyperparameter(0.4, "a, weight of the forget loss", source="released code", above=0)
    retain_weight: float = hyperparameter(
        2.0, "b, weight of the retain loss", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find the tensors, then train them alone."""
        special = frozenset(model.tokenizer.all_special_ids)
        tokens = [token for token in range(min(len(model.tokenizer), model.embeddings)) if token not in special]
        relabeled = partial(half_random, tokens=tokens, end=model.tokenizer.eos_token_id, rng=run.rng)
        forget, retain = (
            nll_gradient(model, pairs * self.random_answers, relabeled) for pairs in (data.forget, data.retain)
        )
        chosen = located(forget, retain, self.similarity, self.share)
        if not chosen:
            raise UsageError(
                "MemFlex finds no weights to train: wherever the forget set pulls hard, the retain set pulls the same "
                "way. A larger --set similarity=... or share=... finds more."
            )
        return run.minimize(self.loss, model, data, chosen, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return self.retain_weight * mean_nll(retain) - self.forget_weight * mean_nll(forget)
