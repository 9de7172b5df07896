r"""Membership inference.

Tell by the model's own numbers whether a text was trained on. After unlearning, the forget set should look like text
that was never seen: not more familiar, and not suspiciously strange either.

## Procedure

Six scores of a text, each higher if it looks like training data; with $\ell_t = -\log p_\theta(y_t \mid x, y_{<t})$:

$$
s_{\mathrm{loss}} = -\frac1T \sum_t \ell_t,
\qquad s_{\mathrm{zlib}} = \frac{s_{\mathrm{loss}}}{|\mathrm{zlib}(y)|},
\qquad s_{\mathrm{reference}} = s_{\mathrm{loss}} - s_{\mathrm{loss}}^{\mathrm{ref}},
$$

$$
s_{\mathrm{MinK}} = -\frac{1}{|K|} \sum_{t \in K} \ell_t,
\qquad s_{\mathrm{MinK{+}{+}}} = \frac{1}{|K|} \sum_{t \in K} \frac{-\ell_t - \mu_t}{\sigma_t},
\qquad s_{\mathrm{gradient}} = -\frac1J \sum_j \left\| \frac{\partial \bar\ell}{\partial W_j} \right\|_2 .
$$

Each gives an area under the curve (AUC): the chance that a forget text scores higher than one of the holdout.

## Symbols

- $\mu_t$, $\sigma_t$: mean and standard deviation of the log-probability over the model's own distribution.
- $W_j$: the J parameters, and $\bar\ell$ the text's mean loss.
- $K$: the 40% of the text's tokens whose term is lowest.
- $s_{\mathrm{loss}}^{\mathrm{ref}}$: of the reference model, here the one that never saw the text (retrained).

## Facts

- 0.5 would be no signal if both sets were alike; they differ a little, so that **the aim is the retrained model's
  value**. Below it the forget set has become *stranger* than text that nobody has seen, which gives it away as well.
- The reference score compares with that very model; for the retrained model itself it is 0 everywhere, and its AUC 0.5.

## Differences

1. The papers attack models of billions of parameters, whose training texts were read once or twice. Here the target
   has seen each text hundreds of times, so that its own AUC is near 1.
2. OpenUnlearning leaves out the last token of a text for all scores but loss, zlib and reference; here every score sees
   all tokens.
3. Weights behind a prompt or a filter are asked for their gradient as they are, with that prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.metrics.membership import (
    gradient_norm_score,
    loss_score,
    min_k_plus_plus_score,
    min_k_score,
    reference_score,
    zlib_score,
)
from reference_impls.metrics.sets import membership_auc
from reference_impls.toolkit import (
    Attack,
    LanguageModel,
    NotApplicableError,
    Pair,
    Run,
    UnlearnedModel,
    Victim,
    inside,
    mean_nll,
)


def gradients(model: LanguageModel, pair: Pair) -> list[Tensor]:
    r"""$\partial \bar\ell / \partial W_j$ of a pair's answer, one tensor per parameter; the model stays as it is."""
    weights = [weight for weight in model.model.parameters() if weight.requires_grad]
    with torch.enable_grad():
        loss = mean_nll(*model.token_logits(model.encode([pair])))
    derivatives = torch.autograd.grad(loss, weights, allow_unused=True)
    return [derivative for derivative in derivatives if derivative is not None]


def scores(model: UnlearnedModel, pairs: Sequence[Pair], reference: UnlearnedModel | None) -> dict[str, list[float]]:
    """Every score of every pair, by the name of its measurement.

    Args:
        model: whom to ask.
        pairs: texts, or questions with their answers; the answer is what is scored.
        reference: a model that has not seen the texts; without it there is no reference score.
    """
    prompts, answers = [pair.prompt for pair in pairs], [pair.answer for pair in pairs]
    measurements: dict[str, list[float]] = {name: [] for name in ("loss", "zlib", "min_k", "min_k_plus_plus")}
    known: list[list[float]] = []
    for distribution, answer in zip(model.distributions(prompts, answers), answers, strict=True):
        chosen, expected, deviation = (
            values.tolist() for values in (distribution.chosen, distribution.expected, distribution.deviation)
        )
        known.append(chosen)
        measurements["loss"].append(loss_score(chosen))
        measurements["zlib"].append(zlib_score(chosen, answer))
        measurements["min_k"].append(min_k_score(chosen))
        measurements["min_k_plus_plus"].append(min_k_plus_plus_score(chosen, expected, deviation))
    if reference is not None:
        # Asked in the same way, so that a model held against itself comes out even, rounding included.
        unseen = (distribution.chosen.tolist() for distribution in reference.distributions(prompts, answers))
        measurements["reference"] = [
            reference_score(logprobs, reference_logprobs)
            for logprobs, reference_logprobs in zip(known, unseen, strict=True)
        ]
    with suppress(NotApplicableError):
        weights, asked = inside(model, pairs)
        measurements["gradient"] = [gradient_norm_score(gradients(weights, pair)) for pair in asked]
    return {f"membership_{name}": values for name, values in measurements.items()}


@dataclass(frozen=True)
class MembershipAttack(Attack):
    """Tell forget texts from unseen ones by six scores."""

    paper = "shi2023detecting"

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """The AUC of each score, ``membership_loss`` and so on; empty where the task has no holdout."""
        splits = victim.splits
        if not splits.holdout:
            return {}
        members = splits.members or splits.forget
        forget, unseen = (scores(victim.model, pairs, victim.reference) for pairs in (members, splits.holdout))
        # The metric compares losses, which members have the lower ones of.
        return {
            name: membership_auc([-value for value in forget[name]], [-value for value in unseen[name]])
            for name in forget
        }
