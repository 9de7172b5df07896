r"""Gated representation unlearning (GRUN).

Leave the weights alone and put a small module behind a few blocks, which acts at the last token of a question. A gate
in it learns to tell what is to be forgotten; as far as it opens, a low-rank edit changes the state, and with it the
answer. Any loss for unlearning can train it.

## Objective

Ren et al. change the state $h$ of a question's last token behind each chosen block, and train that alone; here with the
loss of negative preference optimization (`npo`):

$$
h \leftarrow h + \sigma\big(g(h)\big)\, R^\top \left( A h + b - R h \right),
$$

$$
\mathcal L = \mathcal L_{\mathrm{NPO},\beta} + \lambda_r\, L(\mathcal D_r)
- \lambda_g\, \mathbb E \left[ \mathbf 1_{x \in \mathcal D_f} \log \sigma(g)
+ \mathbf 1_{x \in \mathcal D_r} \log\left(1 - \sigma(g)\right) \right].
$$

## Symbols

- $g$: the gate, a network with two hidden layers (256 and 64 wide) and one number at its end; $\sigma$ the logistic
  function.
- $R \in \mathbb R^{r \times d}$: rows of length 1 at right angles (`rank` of them), which stay so while they learn;
  $A \in \mathbb R^{r \times d}$ and $b$: what the state becomes in their directions.
- $\mathcal L_{\mathrm{NPO},\beta}$: on the forget set, against the model without the modules; $\beta$ (`beta`).
- $L(\mathcal D_r)$: the mean negative log-likelihood of retain answers, weighted by $\lambda_r$ (`retain_weight`);
  $\lambda_g$ (`gate_weight`): weight of the gates' own loss, a mean over questions and blocks.
- The blocks are at 0.65, 0.8 and all of the depth, as blocks 20, 25 and 31 of 32.

## Facts

- **Where the gate is shut, the model is as before, exactly**, and an edit moves a state in $r$ directions alone.
- **The gates are taught what to tell apart**, not only by what the answers need: they see both sets with labels.
- At the start the gates stand half open and the edit is not zero, so that the first step is not taken from the model.
- **Only the question's last token is changed.** The first token of the answer is read from it; the others find it where
  they look back.
- **The weights are the same to the bit**, and without the modules everything is known again.

## Differences

1. The paper combines the module with gradient difference, refusals and misdirection as well; one loss is here.
2. The released code leaves out the retain and the forget loss, which grow over the first steps, where it is told to;
   here both count from the start.
3. The paper's text speaks of a decision at every token; its code for questions and answers acts at the last of a
   question, as here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from reference_impls.toolkit import (
    Batch,
    ChangedPrompt,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    hyperparameter,
    mean_nll,
    npo_loss,
)

DEPTHS = (0.65, 0.8, 1.0)


class GatedEdit(nn.Module):
    r"""What is done to a state, with the gates' openings of the last call."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.rows = nn.utils.parametrizations.orthogonal(nn.Linear(width, rank, bias=False))
        self.target = nn.Linear(width, rank)
        self.gate = nn.Sequential(
            nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid()
        )
        self.opened = torch.zeros(0)
        """(B,) how far the gate was open for each question."""

    def forward(self, states: Tensor, places: Tensor) -> Tensor:
        """(B, L, d) states, changed at the last of each row's places.

        Args:
            states: (B, L, d).
            places: (B, L) True at the tokens of questions.
        """
        last = places & (places.cumsum(dim=1) == places.sum(dim=1, keepdim=True))
        edited, self.opened = self.edit(states[last].float())
        return states.masked_scatter(last[..., None], edited.to(states))

    def edit(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(B, d) of (B, d) states, and (B,) how far the gate is open."""
        opened = self.gate(states)
        return states + opened * (self.target(states) - self.rows(states)) @ self.rows.weight, opened[:, 0]


def gate_loss(opened: Sequence[Tensor], forget: int) -> Tensor:
    """() Cross-entropy of the gates, a mean over questions and blocks.

    Args:
        opened: for each block (B,) how far its gate is open.
        forget: how many of the B questions are to be forgotten; they come first.
    """
    gates = torch.cat(list(opened))
    wanted = torch.cat([(torch.arange(len(gate)) < forget).to(gate) for gate in opened])
    return binary_cross_entropy(gates, wanted)


@dataclass(frozen=True)
class GRUN(Method):
    """Train gated edits of the states behind a few blocks."""

    paper = "ren2025general"
    acts_on = "activations"
    retain = "needed"
    trains = "adapters"
    parts = ("blocks",)

    beta: float = hyperparameter(0.1, "β of the preference loss", source="code", above=0)
    retain_weight: float = hyperparameter(
        1.0, "λ_r, weight of the retain loss", source="code, TOFU", above=0, trade_off=(0.5, 1.0, 2.0, 5.0)
    )
    gate_weight: float = hyperparameter(10.0, "λ_g, weight of the gates' loss", source="code, TOFU", minimum=0)
    rank: int = hyperparameter(4, "r, directions that an edit moves in", source="code", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> GatedModel:
        """Train the modules; the weights are not touched."""
        gated = GatedModel.untrained(model, self.rank)
        before = torch.stack([logprobs.sum() for logprobs in model.pair_logprobs(data.forget)]).to(model.device)

        def loss(gated_model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = gated_model.token_logits(batch.forget, batch.retain)
            unlearned = npo_loss(forget.sequence_logprobs(), before[batch.forget.rows], self.beta)
            gates = gate_loss([edit.opened for edit in gated.edits], len(batch.forget))
            return unlearned + self.retain_weight * mean_nll(retain) + self.gate_weight * gates

        run.minimize(loss, gated.changed, data, list(gated.modules.parameters()))
        return gated

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> GatedModel:
        """The model with the modules that were trained."""
        gated = GatedModel.untrained(model, int(kept.facts["rank"]))
        kept.load_into(gated.modules)
        return gated


@dataclass
class GatedModel(Wrapped):
    """The unchanged model, in which the states of questions are edited."""

    model: LanguageModel
    edits: Sequence[GatedEdit]
    rank: int

    @classmethod
    def untrained(cls, model: LanguageModel, rank: int) -> GatedModel:
        """With modules that have learned nothing."""
        layers = sorted({model.layer_at(depth) for depth in DEPTHS})
        return cls(model, [GatedEdit(model.width, rank).to(model.device) for _ in layers], rank)

    @property
    def modules(self) -> nn.ModuleList:
        """The edits, first block first."""
        return nn.ModuleList(self.edits)

    @cached_property
    def changed(self) -> LanguageModel:
        """The model, with what the modules do to it."""
        layers = sorted({self.model.layer_at(depth) for depth in DEPTHS})
        model = self.model
        for layer, edit in zip(layers, self.edits, strict=True):
            model = ChangedPrompt.of(model, self.model.blocks[layer], edit)
        return model

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The edited model, whatever is asked: the gates decide inside."""
        return self.changed

    def to_json(self) -> dict[str, Any]:
        """How many directions an edit has."""
        return {"rank": self.rank}

    def tensors(self) -> dict[str, Tensor]:
        """The modules' weights."""
        return {name: tensor.detach() for name, tensor in self.modules.state_dict().items()}
