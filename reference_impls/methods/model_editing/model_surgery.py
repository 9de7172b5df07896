r"""Modulating LLM's behavior via simple parameter editing (Model surgery).

A linear probe learns to tell, by a model's hidden states, texts of the unwanted kind from others. The rows of the
MLPs' gates that point the most away from the probe belong to neurons that speak up elsewhere; the probe is added to
these, so that they speak up where the unwanted kind is read, too. Nothing else changes and nothing of the model is
trained.

## Objective

Wang et al., with the mean $\bar h(x)$ of the last block's states over a text's tokens,

$$
v = \arg\min_{v, b} \; \mathbb E_{x \sim \mathcal D_f}\, \log\!\big(1 + e^{-v^\top \bar h(x) - b}\big)
+ \mathbb E_{x \sim \mathcal D_r}\, \log\!\big(1 + e^{v^\top \bar h(x) + b}\big),
$$

$$
g \leftarrow g + \alpha\, \frac{v}{\lVert v \rVert}
\;\text{ for the share } q \text{ of all rows } g \text{ with the lowest } \cos(g, v) .
$$

## Symbols

- $g$: a row of the matrix of an MLP's gate, with which one neuron reads; those of all layers are compared together.
- $v$: the probe, which points to what is to be forgotten; $\alpha$ (`strength`): how far rows are moved along it.
- $q$ (`share`): how many rows, of all gates'.

## Facts

- **A gate's input rises by $\alpha\, v^\top x / \lVert v \rVert$** where the state is $x$: where it has nothing of $v$,
  nothing changes. A row of length 1 with the cosine $-0.5$ has the cosine 0 after $\alpha = 0.5$.
- **The rows are chosen by direction alone**, not by what their neurons write; nothing in it looks at an answer.
- One pass over both sets, and a regression; learning rate and steps of a recipe are not used.
- **The direction tells the sets apart, the neurons hardly do.** On `authors`, of 0.96 and 0.98, a tenth of the rows
  moved by 3 leaves forget answers at 0.45 and retain answers at 0.60, a twentieth 0.68 and 0.79; a random direction in
  the probe's place 0.55 and 0.57, the opposite one 0.80 and 0.74. A difference of behavior, such as a tone, is in every
  token; here both sets are facts of one kind, told in the same words, and little of a state is about which person.

## Differences

1. The equations are those of the released code (its probe's training and its edit) and of the paper's summaries; the
   paper's own text was not at hand. The code's edit takes 16384 of Llama-2-7B's 352256 rows.
2. There a softmax layer for two classes is trained by Adam for 20 epochs, and its row for the unwanted class is $v$.
   Here it is logistic regression to its minimum with a decay, either set weighing as much as the other. Where the sets
   can be parted, the length of $v$ says only when training ended; so it is normed, and $\alpha$ is another number than
   there. A smaller decay (0.0001) gives a direction that changes less, in both sets.
3. The paper changes behavior (toxic, negative, compliant), with thousands of texts of each kind. Here the kinds are the
   forget and the retain set.
4. The code reads the states behind the last norm, here they are those before it, whose tokens may differ in length.
5. In MLPs without a gate the rows are those of the first matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, softplus

from reference_impls.toolkit import (
    LanguageModel,
    Memory,
    Method,
    Pair,
    Run,
    UnlearningData,
    by_output,
    hyperparameter,
    most_salient,
)

DECAY, STEPS = 1e-2, 200
"""Of the regression: without the first it has no minimum where the sets can be parted."""


@torch.no_grad()
def mean_states(model: LanguageModel, pairs: Sequence[Pair]) -> Tensor:
    r"""(N, d) $\bar h$ of each pair's text, prompt and answer."""
    means = []
    for batch in model.encoded(pairs):
        (states,) = model.outputs(batch, [model.blocks[-1]])
        tokens = batch.attention_mask[:, :, None]
        means.append((states.float() * tokens).sum(dim=1) / tokens.sum(dim=1))
    return torch.cat(means)


def behavior_probe(unwanted: Tensor, others: Tensor) -> Tensor:
    r"""(d,) $v / \lVert v \rVert$, from (N, d) and (M, d) states."""
    weights = torch.zeros(unwanted.shape[1] + 1, dtype=torch.float64, device=unwanted.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        *_, bias = weights
        inside, outside = (states.double() @ weights[:-1] + bias for states in (unwanted, others))
        value = softplus(-inside).mean() + softplus(outside).mean() + DECAY * weights[:-1].square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return normalize(weights.detach()[:-1], dim=0).float()


@dataclass(frozen=True)
class ModelSurgery(Method):
    """Find the probe, and add it to the rows that point away from it."""

    paper = "wang2024model"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)

    strength: float = hyperparameter(1.0, "α, how far rows are moved along the probe", source="ours", minimum=0)
    share: float = hyperparameter(
        0.0465,
        "q, share of all rows",
        source="released code, Llama-2-7B",
        above=0,
        maximum=1,
        trade_off=(0.01, 0.02, 0.05, 0.1, 0.2),
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Probe, compare, add."""
        probe = behavior_probe(mean_states(model, data.forget), mean_states(model, data.retain))
        gates = []
        for layer in range(model.layers):
            gate, *_, output = model.mlp_matrices([layer])
            neurons = Memory(output).weight.shape[1]
            gates.append(by_output(gate, gate.get_parameter("weight"))[:neurons])  # an input may stand below it
        away = [-cosine_similarity(rows.float(), probe[None], dim=1) for rows in gates]
        for rows, chosen in zip(gates, most_salient(away, self.share), strict=True):
            rows[chosen] += (self.strength * probe).to(rows.dtype)
        return model
