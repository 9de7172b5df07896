r"""Editing into a refusal, in the null space of what has to stay (AlphaEdit).

Unlearning as editing: the new answer to a question is that one does not know. The edit is MEMIT's, but before a layer
changes, everything is projected out of its change that text to be kept would notice: the layer answers the keys of that
text as it did.

## Objective

Li et al. take editors for unlearning; the one that they find best is Fang et al.'s. With $C = U \Lambda U^\top$ the
second moment of a layer's keys on kept text, and $\hat U$ the eigenvectors whose eigenvalues are below $\tau$,

$$
P = \hat U \hat U^\top,
\qquad
\Delta = R\, K^\top P \left( K K^\top P + \mu I \right)^{-1},
\qquad
W \leftarrow W + \Delta .
$$

## Symbols

- $K \in \mathbb R^{d_{\mathrm{ff}} \times n}$, $R \in \mathbb R^{d \times n}$: as in this collection's MEMIT, the keys
  of the subjects and by how much what is written there has to change, a layer's equal share of it.
- $\tau$ (`threshold`): up to which eigenvalue a direction is one that kept text does not use.
- $\mu$ (`ridge`): how much a long change costs.
- The new answer is `response`, or what else `objective` says. The other hyper-parameters are MEMIT's.

## Facts

- **It is ridge regression on projected keys**: $\Delta = R\, (K^\top P K + \mu I)^{-1} K^\top P$, the solution of
  $\min_\Delta \|\Delta P K - R\|_F^2 + \mu \|\Delta\|_F^2$. Where MEMIT weighs kept keys, here they are out of reach.
- **What it costs kept text is bounded**: $\mathbb E\, \|\Delta k\|^2 = \mathrm{tr}(\Delta C \Delta^\top)
  \le \tau\, \|\Delta\|_F^2$, and 0 where all keys lie in directions above $\tau$.
- One request is answered by a share, $\Delta k = \frac{s}{\mu + s}\, r$ with $s = k^\top P k$: **what of a key kept
  text shares cannot be used.** With $\tau = 0$ nothing happens; with $\tau$ above all eigenvalues $P = I$.
- $C$ has as many eigenvalues above 0 as kept text has independent keys, at most $d_{\mathrm{ff}}$: the more text is
  kept, the less is free. $\tau$ is a number in the square of the keys' own size, which differs from model to model.
- **A refusal has to be within reach**: one state is changed, for a few steps, and what follows it has to be said by the
  model as it is. One that was trained on answers alone has no refusals: edited to one it goes on answering, and what
  works there is to lead it away from the true answer (`objective` `fact-erasure`), to another of the same form.
- Two edits that were made one after the other would need $K_p K_p^\top P$ of the first beside $K K^\top P$; all
  requests of a run are one edit, and that term is 0.

## Differences

1. As in this collection's MEMIT: requests are subjects with all of their questions, which is a form of Li et al.'s
   query merging; keys and states are means over them.
2. Li et al. also let the model phrase the refusal itself, with examples before the question; here it is given, as a
   model that has learned nothing but answers has none to phrase.
3. $C$ is of the retain set's tokens, not of Wikipedia.
4. $\mu$ is 1 in the paper's formula; the default is that of the released configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    ValueSearch,
    Window,
    deletion_requests,
    hyperparameter,
    null_space,
    projected_update,
)


@dataclass(frozen=True)
class AlphaEdit(Method):
    """Spread the edits of all subjects over a window of layers, each within its null space."""

    paper = "li2025editing"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"
    parts = ("memories",)
    published = {
        "learning_rate": 0.1,
        "steps": 25,
        "source": "released code of AlphaEdit, Llama-3-8B: the search for the new values",
    }

    objective: str = hyperparameter(
        "empty-response",
        "what the edit is to: the response, a false answer, or away from the true one",
        source="Li et al.",
        choices=("fact-erasure", "error-injection", "empty-response"),
    )
    response: str = hyperparameter("I don't know.", "d, the refusal", source="ours; Li et al. have several")
    depth: float = hyperparameter(
        0.26,
        "the last edited layer, as a fraction of the depth",
        source="layer 8 of Llama-3-8B's 32",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(5, "how many layers are edited", source="code, Llama-3-8B", minimum=1)
    threshold: float = hyperparameter(
        0.02,
        "τ, eigenvalues below it are taken for 0",
        source="code",
        minimum=0,
        trade_off=(0.0005, 0.002, 0.005, 0.02, 0.1),
    )
    ridge: float = hyperparameter(10.0, "μ, cost of a long change", source="code, Llama-3-8B; paper: 1", above=0)
    contexts: int = hyperparameter(
        2, "how many texts come before each prompt in turn", source="code: several", minimum=0
    )
    kl_weight: float = hyperparameter(0.0625, "weight of the KL term", source="code", minimum=0)
    shrinkage: float = hyperparameter(0.5, "weight of δ's length", source="code", minimum=0)
    clamp: float = hyperparameter(0.75, "κ, how long δ may be", source="code", above=0)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find what is free in every layer, then write."""
        window = Window.up_to(model, self.depth, self.window)
        moments = (memory.second_moment(model, data.others) for memory in window.memories)
        updates = [
            partial(projected_update, null_space(moment, self.threshold), ridge=self.ridge) for moment in moments
        ]
        search = ValueSearch(self.objective, self.kl_weight, self.shrinkage, self.clamp)
        requests = deletion_requests(model, data, self.objective, self.response, self.contexts, run.rng)
        window.write(requests, search, updates, run)
        return model
