r"""Editing into a refusal, in a memory on the side (WISE).

Unlearning as editing: the new answer to a question is that one does not know. It is written into a copy of one MLP
projection, while the original stays as it is; and which of the two answers is decided for each query, by how far apart
they are on it. The copy is trained to be far off where it was edited and near elsewhere.

## Objective

Li et al. take editors for unlearning, this one among the best; it is Wang et al.'s. With $a_t$ what the projection $W$
reads at a token and $W'$ the copy,

$$
\Delta(x) = \frac{1}{|x|} \sum_t \| (W' - W)\, a_t \|_2,
\qquad
\text{answered with } W' \text{ if } \Delta(x) > \epsilon,
$$

$$
\mathcal L(W') = -\log \pi_{W'}(d \mid x_e)
+ \left[ \Delta(x_i) - \alpha \right]_+ + \left[ \beta - \Delta(x_e) \right]_+
+ \left[ \gamma - \left( \Delta(x_e) - \Delta(x_i) \right) \right]_+ ,
$$

each part of the requests in its own random $\rho$ of the weights of a copy of its own; the copies are merged as TIES
does.

## Symbols

- $x_e$: a question to forget, $d$ its refusal; $x_i$: a question to keep.
- $\alpha, \beta, \gamma$ (`near`, `far`, `margin`): how near, how far, and how far apart.
- $\rho$ (`share`); `side_memories`: into how many parts the requests go; `density`: what TIES leaves of each copy.
- $\epsilon$: `ratio` times the least $\Delta$ of all questions to forget.
- Where: the projection at a fraction of the depth (`depth`).

## Facts

- **What keeps the original is answered to the bit as before.** As $\Delta$ goes by $W' - W$ alone, which is linear, a
  query is taken for an edited one as far as its keys are like theirs, or like nothing that was held near.
- **With `ratio` below 1 no stored question keeps the original**; reworded ones and strangers lie on either side of
  the same border.
- **Taking the copy away gives back everything.** The weights know what they knew: it is a gate with a trained answer
  behind it.
- On `authors`, where all questions are of a few forms and names share their parts, the border is not sharp: at a rate
  of 0.01 every question to forget has the copy's answer, reworded ones as well, and a third of those to keep, and
  three of four general facts, which no question to keep is like. The copy's answers to these are mostly the old ones,
  so that this costs little.
- **Margins and refusal want different things of one matrix.** The embedded model is not brought to refuse: at a rate of
  0.02 in 240 steps forget answers go from 0.96 to 0.70 of probability and many are still said, with 0.94 of the
  retain answers' probability left and utility at 0.64 of 0.65. For as much forgetting `memit` takes more of the rest.

## Differences

1. Li et al. also let the model phrase the refusal itself; here it is "I don't know."
2. The released code compares $\varphi(W' a_t)$ with $\varphi(W a_t)$, $\varphi$ being the MLP's activation; here it is
   the paper's difference. It decides at every forward pass, which in generation is every token; here once, on the
   question, so that what is scored and what is written come from the same model.
3. The code edits one request after the other, up to 70 steps of plain descent each, against one unrelated text; here
   each part is trained as a whole, by the loop's optimizer, against the retain set. By plain descent questions to
   forget and to keep did not come apart.
4. $\epsilon$ is measured on the merged copy, in the code on each as it was trained. Several copies side by side, the
   paper's other form, are left out, as is its replay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.toolkit import (
    IGNORE,
    REFUSALS,
    Batch,
    Encoded,
    Kept,
    LanguageModel,
    Memory,
    Method,
    Pair,
    Run,
    TokenLogits,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    beside,
    by_place,
    holding,
    hyperparameter,
    mean_nll,
    memories,
    shares_of_subjects,
    ties,
    watched,
    with_refusals,
)


def distances(change: Tensor, keys: Tensor, places: Tensor) -> Tensor:
    r"""(B,) $\Delta$.

    Args:
        change: (d, d_ff) $W' - W$.
        keys: (B, L, d_ff) $a_t$.
        places: (B, L) True at the tokens of questions.
    """
    far = (keys.float() @ change.float().T).norm(dim=-1) * places
    mean: Tensor = far.sum(dim=1) / places.sum(dim=1).clamp(min=1)
    return mean


def margin_loss(edited: Tensor, kept: Tensor, near: float, far: float, margin: float) -> Tensor:
    r"""() The three margins, each a mean over questions (over pairs of them the third)."""
    apart = edited[:, None] - kept[None]
    return (kept - near).relu().mean() + (far - edited).relu().mean() + (margin - apart).relu().mean()


def questions(batch: Encoded) -> Tensor:
    """(B, L) True at the tokens of prompts."""
    return (batch.labels == IGNORE) & (batch.attention_mask == 1)


@dataclass(frozen=True)
class WISE(Method):
    """Train a copy of one projection to refuse, and to be far off where it should."""

    paper = "li2025editing"
    acts_on = "weights"
    retain = "needed"
    trains = "part"
    parts = ("memories",)
    published = {
        "learning_rate": 1.0,
        "steps": 70,
        "source": "released code of WISE, Llama-2-7B: plain descent, for each request",
    }

    ratio: float = hyperparameter(
        0.88, "ε, as a part of the least Δ", source="code", above=0, trade_off=(0.5, 0.7, 0.88, 1.0, 1.2)
    )
    near: float = hyperparameter(5.0, "α, how near questions to keep should be", source="paper", minimum=0)
    far: float = hyperparameter(20.0, "β, how far questions to forget should be", source="paper", minimum=0)
    margin: float = hyperparameter(10.0, "γ, how far apart", source="paper", minimum=0)
    share: float = hyperparameter(0.2, "ρ, share of the weights of each copy", source="paper", above=0, maximum=1)
    side_memories: int = hyperparameter(2, "into how many parts the requests go", source="code, Llama-2-7B", minimum=1)
    density: float = hyperparameter(0.53, "what TIES leaves", source="code", above=0, maximum=1)
    bound: float = hyperparameter(1.0, "how far a weight may go", source="code", above=0)
    depth: float = hyperparameter(
        0.87, "the layer, as a fraction of the depth", source="layer 27 of Llama-2-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> SideMemory:
        """Train a copy for each part, merge them, and measure how far they are from the original."""
        layer, told = model.layer_at(self.depth), with_refusals(data, run.rng, 1, REFUSALS[:1])
        (original,) = memories(model, [layer])
        parts = shares_of_subjects(told.forget, self.side_memories)
        trained = [
            self.trained(model, original, layer, replace(told, forget=tuple(part)), stage)
            for part, stage in zip(parts, run.stages(len(parts)), strict=True)
        ]
        side = beside(model, layer)[1]
        with torch.no_grad():
            for weight, tau in zip(
                side.module.parameters(), ties(original.module, trained, self.density), strict=False
            ):
                weight.add_(tau)
        gated = SideMemory(model, layer, side.stored.detach(), 0.0)
        gated.threshold = self.ratio * min(gated.distance(pair.prompt) for pair in told.forget)
        return gated

    def trained(self, model: LanguageModel, original: Memory, layer: int, data: UnlearningData, run: Run) -> nn.Module:
        """A copy of the projection, trained on a part of the requests."""
        twin, side = beside(model, layer)
        weight, start = side.stored, original.stored.detach()
        put_back = holding([weight], [torch.rand_like(weight) < self.share])

        def loss(twin: LanguageModel, batch: Batch) -> Tensor:
            change = side.weight - original.weight.detach()
            told, edited = self.read(twin, side, change, batch.preferred)
            _, kept = self.read(twin, side, change, batch.retain)
            return mean_nll(told) + margin_loss(edited, kept, self.near, self.far, self.margin)

        def after_step() -> None:
            put_back()
            weight.copy_(weight.clamp(start - self.bound, start + self.bound))

        run.minimize(loss, twin, data, [weight], alternates=True, after_step=after_step)
        return side.module

    @staticmethod
    def read(twin: LanguageModel, side: Memory, change: Tensor, batch: Encoded) -> tuple[TokenLogits, Tensor]:
        """What the copy makes of a batch's answers, and (B,) how far off it is on the questions."""
        with watched([side.module]) as seen:
            (out,) = twin.token_logits(batch)
        keys = by_place(seen[side.module][0], batch.input_ids.shape).detach()
        return out, distances(change, keys, questions(batch))

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> SideMemory:
        """The model beside the copy that was kept."""
        return SideMemory(model, kept.facts["layer"], kept.tensors["side"].to(model.device), kept.facts["threshold"])


@dataclass
class SideMemory(Wrapped):
    """The unchanged model, and the same with another projection, which answers where the two are far apart."""

    model: LanguageModel
    layer: int
    side: Tensor
    """W', as the module has it."""
    threshold: float
    _known: dict[str, float] = field(default_factory=dict, repr=False)

    @cached_property
    def _beside(self) -> tuple[LanguageModel, Memory]:
        twin, memory = beside(self.model, self.layer)
        with torch.no_grad():
            memory.stored.copy_(self.side)
        return twin, memory

    @torch.no_grad()
    def distance(self, query: str) -> float:
        """Δ."""
        if query not in self._known:
            (original,) = memories(self.model, [self.layer])
            batch = self.model.encode([Pair(query, " .")])
            change = self._beside[1].weight - original.weight
            self._known[query] = float(distances(change, original.keys(self.model, batch), questions(batch))[0])
        return self._known[query]

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Who answers: the model as it is, or beside it the one with the copy."""
        return self._beside[0] if self.distance(query) > self.threshold else self.model

    def to_json(self) -> dict[str, Any]:
        """Where, and how far is far."""
        return {"layer": self.layer, "threshold": self.threshold}

    def tensors(self) -> dict[str, Tensor]:
        """The copy."""
        return {"side": self.side.contiguous()}
