r"""Embedding-corrupted prompts (ECO).

A classifier reads every question first. Where it finds that something forgotten is asked for, noise is added to the
embeddings of the question's tokens, so much that the model answers as one would that had never read of it; other
questions reach it as they are.

## Objective

Nothing is minimised over weights. Liu et al. corrupt the embeddings $e_t$ of a prompt's tokens where the classifier
$C$ says so, and search for the strength $\sigma$ of the noise by differences, without gradients:

$$
e_t' = e_t + \sigma\, \epsilon_t \;\text{ if } C(x) > \tau, \qquad \epsilon_t \sim \mathcal N(0, I),
$$

$$
\ell(\sigma) = \left| R(\sigma) - \hat v \right|,
\qquad
\sigma \leftarrow \max\!\left( \sigma - \lambda\, \frac{\ell(\sigma + \eta) - \ell(\sigma - \eta)}{2 \eta},\;
\sigma_{\min} \right) .
$$

## Symbols

- $R(\sigma)$: a number that tells how much the model knows behind such noise: here the mean probability per token of
  the answers to forget. $\hat v$: what it would be for a model that had never read them.
- $\tau$ (`threshold`): how sure the classifier must be; $C(x) \in (0, 1)$.
- $\epsilon_t$: noise in the first $N$ dimensions (`dims`), at all tokens of the prompt but the last.
- $\sigma_{\min} = \sigma$ at the start (`sigma`), $\eta$ just below it, $\lambda$ (`rate`), over `steps` steps.

## Facts

- **What the classifier lets through is answered to the bit as before**, and with $\sigma = 0$ everything is.
- **How well it forgets is how well the classifier knows what to forget.** A question in words that it was not trained
  on may slip through; one about somebody else who shares them is corrupted.
- **The noise is the same at every query**: place $t$ of a prompt always gets the same $\epsilon_t$, drawn once, so that
  what is scored is what is written.
- The search needs no gradient and no weights of the model but its embeddings. $\ell$ is no smooth function of
  $\sigma$, so that the search keeps the best that it has seen.
- The model still knows everything; whoever is not behind the classifier gets it.

## Differences

1. The paper's classifier is a fine-tuned language model; here it is logistic regression on the words of the questions,
   to forget and to keep, which is what the data of a small task can teach.
2. $\hat v$ is given by hand in the released script. Here it is measured: how likely the model finds answers on
   subjects that it has never read of, made of the known ones by exchanging names.
3. The paper draws noise anew at every query, and can mark single tokens, such as names, by a second classifier.
4. The threshold is 0.5: the paper's classifiers are surer, and theirs is 0.99 or calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    ChangedPrompt,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    Scope,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    new_pairs,
)


def searched(loss: Callable[[float], float], start: float, width: float, rate: float, steps: int) -> float:
    r"""$\sigma$ after some steps downhill, by differences; the best of all that was looked at.

    Args:
        loss: $\ell$.
        start: where to begin, and $\sigma_{\min}$.
        width: $\eta$, at most ``start``.
        rate: $\lambda$.
        steps: how many.
    """
    seen: dict[float, float] = {}

    def look(sigma: float) -> float:
        return seen.setdefault(sigma, loss(sigma))

    sigma = start
    for _ in range(steps):
        slope = (look(sigma + width) - look(sigma - width)) / (2 * width)
        sigma = max(sigma - rate * slope, start)
    look(sigma)
    return min(seen, key=lambda sigma: (seen[sigma], sigma))


def noise(length: int, dims: int, seed: int) -> Tensor:
    r"""(length, N) $\epsilon_t$; the first rows are the same for every length."""
    rows = [torch.Generator().manual_seed((seed << 20) + place) for place in range(length)]
    return torch.stack([torch.randn(dims, generator=generator) for generator in rows])


def corrupted(embeddings: Tensor, places: Tensor, sigma: float, dims: int, seed: int) -> Tensor:
    """(B, L, d) embeddings with noise at all tokens of each prompt but its last.

    Args:
        embeddings: (B, L, d).
        places: (B, L) True at the tokens of prompts.
        sigma: strength of the noise.
        dims: how many of the d dimensions get it, the first.
        seed: which noise.
    """
    count = places.sum(dim=1, keepdim=True)
    order = places.cumsum(dim=1) - 1
    marked = places & (order < count - 1)
    dims = min(dims, embeddings.shape[2])
    drawn = noise(max(1, int(count.max())), dims, seed).to(embeddings)
    added = sigma * drawn[order.clamp(min=0)] * marked[..., None]
    return torch.cat([embeddings[..., :dims] + added, embeddings[..., dims:]], dim=2)


@dataclass(frozen=True)
class ECO(Method):
    """Corrupt the embeddings of questions that a classifier stops."""

    paper = "liu2024large"
    acts_on = "prompt"
    retain = "needed"
    trains = "nothing"

    threshold: float = hyperparameter(
        0.5,
        "τ, how sure the classifier must be",
        source="ours; code: 0.99",
        minimum=0,
        maximum=1,
        trade_off=(0.1, 0.5, 0.9),
    )
    sigma: float = hyperparameter(0.1, "σ at the start, and its least", source="code", above=0)
    dims: int = hyperparameter(500, "N, dimensions with noise", source="code, TOFU", minimum=1)
    rate: float = hyperparameter(1.0, "λ, step of the search", source="ours; code: 100, with N = 1", above=0)
    steps: int = hyperparameter(10, "steps of the search", source="code", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> CorruptedModel:
        """Train the classifier, then look for the strength; the model is not touched."""
        asked = data.prompted()
        inside, outside = ([model.asked(pair.prompt) for pair in pairs] for pairs in (asked.forget, asked.retain))
        gated = CorruptedModel(model, Scope.learned(inside, outside), self.threshold, self.sigma, self.dims, run.seed)
        unread = new_pairs(asked.forget, len(asked.forget), run.rng)
        level = mean_probability(model, unread)

        def loss(sigma: float) -> float:
            run.progress("searching for a strength", 0, self.steps)
            return abs(mean_probability(gated.corrupted(sigma), asked.forget) - level)

        gated.sigma = searched(loss, self.sigma, 0.999 * self.sigma, self.rate, self.steps)
        return gated

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> CorruptedModel:
        """The model behind the classifier and the noise that were kept."""
        facts = dict(kept.facts)
        return CorruptedModel(model, Scope(facts.pop("weights"), facts.pop("bias")), **facts)


def mean_probability(model: LanguageModel, pairs: Sequence[Pair]) -> float:
    """The mean over pairs of the geometric mean of their answers' tokens' probabilities."""
    known = [float(logprobs.mean().exp()) for logprobs in model.pair_logprobs(pairs)]
    return sum(known) / len(known)


@dataclass
class CorruptedModel(Wrapped):
    """The unchanged model, which reads questions that a classifier stops through noise."""

    model: LanguageModel
    scope: Scope
    threshold: float
    sigma: float
    dims: int
    seed: int

    def corrupted(self, sigma: float) -> ChangedPrompt:
        """The model that reads every prompt through noise."""

        def change(embeddings: Tensor, places: Tensor) -> Tensor:
            return corrupted(embeddings, places, sigma, self.dims, self.seed)

        return ChangedPrompt.of(self.model, self.model.model.get_input_embeddings(), change)

    @cached_property
    def _corrupted(self) -> ChangedPrompt:
        return self.corrupted(self.sigma)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The model itself, or the one that reads through noise."""
        return self._corrupted if self.scope(self.model.asked(query)) > self.threshold else self.model

    def to_json(self) -> dict[str, Any]:
        """The classifier, and which noise."""
        noisy = {"threshold": self.threshold, "sigma": self.sigma, "dims": self.dims, "seed": self.seed}
        return {"weights": dict(self.scope.weights), "bias": self.scope.bias, **noisy}
