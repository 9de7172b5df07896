r"""Remapping by a factor that takes the old values out (ZeroUnlearn).

Forgetting as editing: what the model looks up at a subject's last token becomes the value of a neutral answer, the end
of the text. What is written is no change to be added but a factor, to the left of a projection, and it also takes out
of all that the layer writes the directions in which the sensitive values lie.

## Objective

Lin et al., in the form of their released code. For the projections $W$ of a window of layers, from the lowest on,

$$
W \leftarrow D\, W,
\qquad
D = P \left( \bar V + \lambda W \right) W^\top \left[ W \left( \bar K + \lambda I \right) W^\top \right]^{-1},
\qquad
P = (1 + \epsilon) I - U U^\top,
$$
$$
\bar K = \lambda_w\, C + \lambda_f\, K K^\top,
\qquad
\bar V = \lambda_w\, W C + \lambda_f \left( W K + R \right) K^\top .
$$

## Symbols

- $K \in \mathbb R^{d_{\mathrm{ff}} \times n}$, $R \in \mathbb R^{d \times n}$, $C$: as in this collection's `memit`,
  the subjects' keys, by how much what is written there has to change toward the neutral answer (a layer's equal share
  of it), and the second moment of the keys of kept text.
- $U$: the left singular vectors of the sensitive values, as columns: for each subject what the projection writes
  there, moved by a search until the true answer is likely.
- $\lambda_w$ (`preservation`), $\lambda_f$ (`forget_weight`), $\lambda$ (`ridge`): how much kept keys, forgotten keys
  and any change weigh. $\epsilon$ (`margin`).
- The neutral answer is `response`, or what else `objective` says. The other hyper-parameters are those of `memit`.

## Facts

- **It is a projection after ridge regression**: $\bar V + \lambda W = W (\bar K + \lambda I) + \lambda_f R K^\top$, and
  so $D = P \big( I + \lambda_f\, R K^\top W^\top [ W (\bar K + \lambda I) W^\top ]^{-1} \big)$. With $R = 0$ it is $P$,
  and with $P = I$ as well nothing happens.
- **$P$ acts on every input**: of $U$'s directions $\epsilon$ is left, whoever is asked about, and all others grow by
  $\epsilon$ in each layer. Of the 4096 directions of a large model few subjects take few; of 128, ten take ten, and
  what their values share is what those of other people share, too.
- **A factor tells apart what $W$ tells apart.** It sees $W k$ with its $d$ numbers, not the $d_{\mathrm{ff}}$ of $k$
  that `memit` has, so that keys which are written alike are changed alike.
- **On `authors`** it forgets more than `memit` with the same search and weights, and keeps less, which is also what
  the paper's table shows. One author, led away from the true answers: from 0.96 to 0.56, retain answers from 0.97 to
  0.90; `memit` 0.63 and 0.97. Three: 0.47 and 0.78; `memit` 0.65 and 0.96. Ten, with
  one direction taken out: 0.46 and 0.59. Toward the end of the text the search does not get far there, for the model
  never ends a text at once.
- **A true answer needs no search**: the model gives it, so that the search for the sensitive value stops at once, and
  the value is what is written already.

## Differences

1. As in this collection's `memit`: requests are subjects with all of their questions, $\delta$'s learning rate and
   steps are the recipe's, contexts and $C$ come from the retain set. In the code a request is one fact.
2. `directions` limits $U$ to its longest directions; the paper takes out all.
3. A search makes the whole true answer likely, not one word. $\bar V$ has no bias in it, for $D$ does not change one.
4. The paper's variant by gradient descent, for many facts, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Memory,
    Method,
    Request,
    Run,
    UnlearningData,
    ValueSearch,
    Window,
    deletion_requests,
    hyperparameter,
    mean_output,
)


def without(values: Tensor, directions: int, margin: float) -> Tensor:
    r"""(d, d) $P$, in 64 bits.

    Args:
        values: (d, n) the sensitive values.
        directions: how many of their directions are taken out, the longest first.
        margin: $\epsilon$.
    """
    found, _, _ = torch.linalg.svd(values.double(), full_matrices=False)
    taken = found[:, :directions]
    projector: Tensor = (1 + margin) * torch.eye(len(values), dtype=taken.dtype, device=taken.device) - taken @ taken.T
    return projector


def left_factor(weight: Tensor, kept: Tensor, pulled: Tensor, projector: Tensor) -> Tensor:
    r"""(d, d) $D$, solved in 64 bits.

    Args:
        weight: (d, d_ff) $W$.
        kept: (d_ff, d_ff) $\bar K + \lambda I$.
        pulled: (d, d_ff) $\lambda_f R K^\top$: by how much the forgotten keys' values change.
        projector: (d, d) $P$.
    """
    w, k = weight.double(), kept.double()
    read = k @ w.T
    factor: Tensor = projector.double() @ torch.linalg.solve(w @ read, w @ read + pulled.double() @ w.T, left=False)
    return factor


@dataclass(frozen=True)
class ZeroUnlearn(Method):
    """Find neutral states, and multiply the projections of a window of layers."""

    paper = "lin2026zerounlearn"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)
    published = {
        "learning_rate": 0.1,
        "steps": 25,
        "source": "released code, Llama-3.1-8B: the search for values",
    }

    objective: str = hyperparameter(
        "empty-response",
        "what is neutral: the response, a false answer, or anything but the true one",
        source="paper",
        choices=("fact-erasure", "error-injection", "empty-response"),
    )
    response: str = hyperparameter("", "the neutral answer; empty: the end of the text", source="released code")
    depth: float = hyperparameter(
        0.68,
        "the last edited layer, as a fraction of the depth",
        source="layer 21 of Llama-3.1-8B's 32",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(3, "how many layers are edited", source="code, Llama-3.1-8B", minimum=1)
    directions: int = hyperparameter(
        1000,
        "how many directions of the sensitive values are taken out, at most",
        source="paper: all of them",
        minimum=0,
        trade_off=(0, 1, 2, 5, 10),
    )
    preservation: float = hyperparameter(15000.0, "λ_w, weight of kept keys", source="code, Llama-3.1-8B", above=0)
    forget_weight: float = hyperparameter(50.0, "λ_f, weight of forgotten keys", source="code", minimum=0)
    ridge: float = hyperparameter(1.0, "λ, cost of a change", source="code, Llama-3.1-8B", above=0)
    margin: float = hyperparameter(0.01, "ε, what is left of the directions taken out", source="code", above=0)
    contexts: int = hyperparameter(2, "how many texts come before each prompt in turn", source="code: 5", minimum=0)
    kl_weight: float = hyperparameter(0.0625, "weight of the KL term", source="code", minimum=0)
    shrinkage: float = hyperparameter(0.5, "weight of δ's length", source="code", minimum=0)
    clamp: float = hyperparameter(0.75, "κ, how long δ may be", source="code", above=0)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find the neutral states, then walk up the window."""
        window = Window.up_to(model, self.depth, self.window)
        told = partial(deletion_requests, model, data, response=self.response, contexts=self.contexts, rng=run.rng)
        true = told(objective="fact-erasure")
        updates = [partial(self.change, model, memory, data, true, run) for memory in window.memories]
        window.write(told(objective=self.objective), self.search(self.objective), updates, run)
        return model

    def search(self, objective: str) -> ValueSearch:
        """How values are found."""
        return ValueSearch(objective, self.kl_weight, self.shrinkage, self.clamp)

    def change(
        self,
        model: LanguageModel,
        memory: Memory,
        data: UnlearningData,
        true: Sequence[Request],
        run: Run,
        keys: Tensor,
        residuals: Tensor,
    ) -> Tensor:
        r"""(d, d_ff) $(D - I) W$ of one layer, in a model whose layers below are edited already."""
        likely = self.search("error-injection")  # makes the answers likely that the requests have: the true ones
        found = [mean_output(model, memory.module, one) + likely.find(model, memory.module, one, run) for one in true]
        projector = without(torch.stack(found, dim=1), self.directions, self.margin)
        free = self.ridge * torch.eye(len(keys), device=keys.device)
        kept = self.preservation * memory.second_moment(model, data.retain) + self.forget_weight * keys @ keys.T + free
        factor = left_factor(memory.weight, kept, self.forget_weight * residuals @ keys.T, projector)
        change: Tensor = factor @ memory.weight.double() - memory.weight
        return change.to(memory.weight.dtype)
