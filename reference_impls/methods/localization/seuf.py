r"""Selected-expert unlearning in mixtures of experts (SEUF).

A mixture of experts sends each token to a few of its experts. Unlearn it as any other model, and its router learns the
short cut: forget tokens are sent to experts that never knew the answers, which are then ruined in turn. So find the
expert that serves the forget set most, train that one and its router alone, and hold the router to it.

## Objective

Zhuang et al., eqs. 2 to 4: with the router's scores $s_{i,t} = \operatorname{softmax}(\mathrm{Router}(u_t))_i$, and
$g_{i,t}$ the same for the $K$ experts that token $t$ is sent to and 0 for all others, the affinity of expert $i$ of
block $l$ with the forget set, and the loss in the $M$ experts that have most of it,

$$
s_i^{(l)} = \frac{1}{|\mathcal D_f|} \sum_{x \in \mathcal D_f} \frac{1}{|x|} \sum_t g^{(l)}_{i,t},
\qquad
\mathcal L = \mathcal L_f + \alpha\, L(\mathcal D_r; \theta)
+ \lambda\, \frac{1}{T} \sum_t \lVert s^{(l)}_{\cdot,t} - a^{(l)} \rVert_2^2 .
$$

## Symbols

- $\mathcal L_f$: ascent on forget answers, $-L(\mathcal D_f; \theta)$, or the loss of `npo`; $L$ is the mean negative
  log-likelihood of answers and $\alpha$ (`retain_weight`) the weight of retain answers.
- $u_t$: what the router reads at token $t$; all $T$ tokens of the forget texts count, questions included.
- $a^{(l)}$: 1 for the chosen experts of block $l$, 0 for the others; $\lambda$ (`anchor_weight`) the anchor's weight;
  $M$ (`experts`) how many are chosen, over all blocks.

## Facts

- **All other experts stay what they were, bit for bit**, and so do attention, norms and embeddings.
- **The anchor is 0 only where the router sends everything to the chosen expert.** It is about the scores of all
  experts, for the choice of the highest $K$ has no gradient. Of scores (0.665, 0.245, 0.090) it is 0.180.
- With $\lambda = 0$ the router is free to send forget tokens elsewhere; that is the short cut.
- **On `authors` there is no short cut to close.** The mixture of experts that ships with it has four for each block,
  and the one with most affinity to the forget set, $s = 0.49$, has as much to the retain set, 0.51: facts about people
  are of one kind. `npo` and `grad-diff` in all weights send it more of the forget tokens (scores of 0.54 and 0.52), not
  fewer; the anchor raises them to 0.74.
- **One of these sixteen experts is too little to forget with.** At a rate of 0.001 forget answers fall to 0.22 of
  probability there and retain answers to 0.54; in four experts (rate 0.0005, $\alpha = 20$) to 0.44 and 0.95, where
  `npo` in all weights leaves 0.48 and 0.96.

## Differences

1. The anchor is averaged over tokens, and over the blocks that hold a chosen expert; the paper writes it for one block
   and one token. Where several experts of a block are chosen, $a$ is divided by their number, so that it can be met.
2. The paper also runs on top of `rmu`; here of `grad-diff` and `npo`. It takes a sample of the forget set for the
   affinity, here all of it counts.
3. Scores are the softmax of the router's logits, as in the paper's models. Of a model whose router is a sigmoid they
   are still the softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Mixture,
    Pair,
    Run,
    UnlearningData,
    ascent_or_npo,
    holding,
    hyperparameter,
    mean_nll,
    mixtures,
    routed,
)


def anchor_loss(scores: Tensor, chosen: Sequence[int]) -> Tensor:
    r"""() $\frac1T \sum_t \lVert s_{\cdot,t} - a \rVert^2$ of (T, E) scores; $a$ is not 0 at those chosen."""
    anchor = torch.zeros_like(scores[0])
    anchor[list(chosen)] = 1 / len(chosen)
    return (scores - anchor).square().sum(dim=-1).mean()


@torch.no_grad()
def affinities(model: LanguageModel, pairs: Sequence[Pair], found: Sequence[Mixture]) -> Tensor:
    r"""(mixtures, E) $s_i^{(l)}$ of each expert with the pairs' texts."""
    total = torch.zeros(len(found), len(found[0].experts))
    for batch in model.encoded(pairs):
        with routed(found) as kept:
            model.token_logits(batch)
        share = batch.attention_mask / batch.attention_mask.sum(dim=1, keepdim=True)
        for row, (mixture, (scores,)) in enumerate(zip(found, kept, strict=True)):
            total[row] += (share.flatten()[:, None] * mixture.sent(scores)).sum(dim=0).cpu()
    return total / len(pairs)


@dataclass(frozen=True)
class SEUF(Method):
    r"""Minimise $\mathcal L$ in the experts that serve the forget set, and in their routers."""

    paper = "zhuang2024uoe"
    acts_on = "gradients"
    reference = "log-probabilities"
    retain = "optional"
    trains = "part"
    parts = ("experts",)
    weighs_weights = True
    remembers = False

    experts: int = hyperparameter(1, "M, experts that are trained, of all blocks", source="paper: one", minimum=1)
    objective: str = hyperparameter(
        "npo", "the loss on forget answers", source="paper: one of its four", choices=("ascent", "npo")
    )
    beta: float = hyperparameter(0.1, "β of npo's loss", source="NPO paper", above=0)
    anchor_weight: float = hyperparameter(1.0, "λ, weight of the router's anchor", source="paper", minimum=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Choose the experts, then train them and their routers."""
        found = mixtures(model.model)
        affinity = affinities(model, data.forget, found)
        best = affinity.flatten().argsort(descending=True, stable=True)[: self.experts].tolist()
        chosen: dict[int, list[int]] = {}
        for place in best:
            chosen.setdefault(place // affinity.shape[1], []).append(place % affinity.shape[1])
        held = [found[row] for row in chosen]
        masks: dict[Tensor, Tensor] = {}
        for mixture, own in zip(held, chosen.values(), strict=True):
            masks |= {weight: weight.new_ones(len(weight), dtype=torch.bool) for weight in mixture.router.parameters()}
            for expert in (mixture.experts[number] for number in own):
                for weight, rows in zip(expert.weights, expert.rows, strict=True):
                    masks[weight] = masks.get(weight, torch.zeros_like(rows)) | rows
        put_back = holding(list(masks), list(masks.values()))

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            with routed(held) as kept:
                (out,) = model.token_logits(batch.forget)
            loss = ascent_or_npo(out, batch.forget.reference, self.objective, self.beta)
            read = batch.forget.attention_mask.flatten().bool()
            anchors = [anchor_loss(scores[read], own) for (scores,), own in zip(kept, chosen.values(), strict=True)]
            loss = loss + self.anchor_weight * torch.stack(anchors).mean()
            if self.looks_at_retain:
                loss = loss + self.retain_weight * mean_nll(*model.token_logits(batch.retain))
            gradient = Gradient.of(loss, model)
            return gradient.masked([masks[weight] for weight in gradient.weights])

        return run.minimize(
            step,
            model,
            data,
            parameters=list(masks),
            reference=self.reference,
            after_step=put_back,
            retain=self.looks_at_retain,
        )
