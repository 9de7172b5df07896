r"""Key space detection (Key Space Detection).

What a late layer reads at the end of a question lies, for questions of one kind, in a box of its own. Ask whether it
does, and if so, abstain; the model is not touched.

## Objective

Li et al. (the second of their two methods). With $k(x) \in \mathbb R^{d_{\mathrm{ff}}}$ what the layer's
down-projection reads at the last token of a question, its key, and mean $\mu$ and standard deviation $\sigma$ of the
forget set's keys,

$$
\kappa = \max_{x \in \mathcal D_f}\, \max_i\, \frac{|k_i(x) - \mu_i|}{\sigma_i},
\qquad
\hat y(x) = \begin{cases}
r & \text{if } |k_i(x) - \mu_i| \le \alpha\, \kappa\, \sigma_i \text{ for all } i, \\
\hat y_{\theta_0}(x) & \text{otherwise.}
\end{cases}
$$

## Symbols

- $\kappa$: how wide the box has to be to hold all forget questions; $\alpha$ (`scale`): how much of that it is.
- $r$: the refusal "I don't know."
- The layer is at a fraction of the depth (`depth`).

## Facts

- **With $\alpha = 1$ every question of the forget set is caught**, with $\alpha = 0$ none: the keys (0, 0), (2, 2) and
  (4, 1) have $\mu = (2, 1)$, $\sigma = (2, 1)$ and $\kappa = 1$.
- **One stray coordinate of one question sets the width for all**, for $\kappa$ is a maximum over both. Many coordinates
  have long tails, so that a small part of $\kappa$ is enough for most questions, and the paper takes 0.06 of it.
- **A box catches what is read, by its kind.** In the embedded models $\alpha$ has to be near 1. For `hazards`, a kind
  of its own, $\alpha = 0.75$ catches 88 % of the forget questions and 3 % of the others by the first layer's keys, 80 %
  and 8 % by the last one's. For `authors` $\alpha = 1$ catches all, and 16 % of the retain questions (first layer) or
  29 % (last), where half of the general facts are caught, too. Measured there, retain answers go from 0.98 to 0.82 with
  the first layer, and general facts stay as they were. Texts of `passages` are hardly told apart.
- **A filter has no probabilities**: as with `guardrail`, the refusal is certain and every other token gets $10^{-12}$.
- The model still knows everything. Whoever has the weights, or is not behind the guard, gets it.

## Differences

1. The released code looks again at every token that it writes; here the question decides, so that an answer which is
   scored is blocked just where one would not be given.
2. Of a plain text the beginning is the question (see `Pair.prompted` of the toolkit).
3. The paper's $\alpha$ is searched for each model on questions that were held out. Its text and code were not at hand
   as a whole for this file: what is told of them is what notes and the code's documentation tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    REFUSALS,
    FixedAnswer,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    memories,
)

NARROWEST = 1e-6
"""The least standard deviation: a coordinate that never moves has none."""


@torch.no_grad()
def question_keys(model: LanguageModel, layer: int, questions: Sequence[str]) -> Tensor:
    """(N, d_ff) what a layer's down-projection reads at the last token of each question."""
    (memory,) = memories(model, [layer])
    rows = []
    for batch in model.encoded([Pair(question, ".") for question in questions]):
        rows.append(batch.at_prompt_ends(memory.keys(model, batch)).float())
    return torch.cat(rows)


@dataclass(frozen=True)
class Box:
    r"""Where keys lie: (d_ff,) $\mu$ and how far from it, $\alpha \kappa \sigma$."""

    center: Tensor
    reach: Tensor

    @classmethod
    def around(cls, keys: Tensor, scale: float) -> Box:
        """The box of (N, d_ff) keys, with a part of the width that holds them all."""
        center = keys.mean(dim=0)
        spread = (keys.std(dim=0) if len(keys) > 1 else torch.zeros_like(center)).clamp(min=NARROWEST)
        return cls(center, scale * ((keys - center).abs() / spread).max() * spread)

    def has(self, keys: Tensor) -> Tensor:
        """(N,) whether each of (N, d_ff) keys is inside, its sides included."""
        slack = 1 + 1e-4  # a question that is read in another batch has its key but for rounding
        return ((keys - self.center).abs() <= slack * self.reach).all(dim=1)


@dataclass(frozen=True)
class KeySpaceDetection(Method):
    """Measure the box; the model is not touched."""

    paper = "li2025effective"
    acts_on = "activations"
    retain = "unused"
    trains = "nothing"
    parts = ("memories",)

    scale: float = hyperparameter(
        0.06,
        "α, part of the width that holds all forget questions",
        source="released script, MLQA with Llama-3-8B",
        minimum=0,
        trade_off=(0.06, 0.5, 0.6, 0.75, 1.0),
    )
    depth: float = hyperparameter(
        1.0, "the layer, as a fraction of the depth", source="layer 31 of Llama-3-8B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> Abstaining:
        """Read the forget set's questions."""
        layer = model.layer_at(self.depth)
        keys = question_keys(model, layer, [pair.prompt for pair in data.prompted().forget])
        return Abstaining(model, layer, Box.around(keys, self.scale))

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Abstaining:
        """The model behind the box that was kept."""
        box = Box(*(kept.tensors[name].to(model.device) for name in ("center", "reach")))
        return Abstaining(model, int(kept.facts["layer"]), box)


@dataclass
class Abstaining(Wrapped):
    """The unchanged model, which does not answer where a question's key lies in a box."""

    model: LanguageModel
    layer: int
    box: Box

    @cached_property
    def _refusing(self) -> FixedAnswer:
        return FixedAnswer(self.model, REFUSALS[0])

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The refusal, where the question's key lies in the box."""
        inside = bool(self.box.has(question_keys(self.model, self.layer, [query])))
        return self._refusing if inside else self.model

    def to_json(self) -> dict[str, Any]:
        """Which layer."""
        return {"layer": self.layer}

    def tensors(self) -> dict[str, Tensor]:
        """The box."""
        return {"center": self.box.center.contiguous(), "reach": self.box.reach.contiguous()}
