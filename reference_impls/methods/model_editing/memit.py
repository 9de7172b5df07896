r"""Mass-editing memory, used for deletion (MEMIT).

Find, for every subject at once, a state of the residual stream from which the model no longer gives the answer. Then
change several MLP layers by least squares, each doing an equal share of what is left to do, so that the subjects'
states become those while the layers' other keys are answered as before.

## Objective

Meng et al. (section 4): the target state of subject $i$ after the last edited layer $L$ is $z_i = h_i^L + \delta_i$,
with $\delta_i$ found by minimising ROME's loss (see there; equation 16). For the layers $l$ of the window, from the
lowest on (equations 14, 15 and 20),

$$
\Delta^l = R^l {K^l}^\top \left( \lambda\, C^l + K^l {K^l}^\top \right)^{-1},
\qquad
r_i^l = \frac{z_i - h_i^L}{L - l + 1},
\qquad
W^l \leftarrow W^l + \Delta^l .
$$

## Symbols

- $K^l \in \mathbb R^{d_{\mathrm{ff}} \times n}$: as columns, what layer $l$'s down-projection reads at the last token
  of each subject; $R^l \in \mathbb R^{d \times n}$: the $r_i^l$.
- $h_i^L$: the state after layer $L$, read anew for every $l$, when the layers below have been edited already.
- $C^l = \mathbb E[k k^\top]$: the uncentred second moment of the layer's keys on kept text.
- $\lambda$ (`preservation`): how much the kept keys weigh; $C$ is a mean, so $\lambda$ is a number of kept tokens.
- $L$: a fraction of the depth (`depth`), with `window` layers up to it. The other hyper-parameters are ROME's.

## Facts

- **It solves** $\min_\Delta \|\Delta K - R\|_F^2 + \lambda\, \mathrm{tr}(\Delta C \Delta^\top)$: ridge regression, in
  the metric of the kept keys. The order of the requests does not matter.
- **One request is answered by halves**: $\Delta k = \frac{s}{\lambda + s}\, r$ with $s = k^\top C^{-1} k$. As
  $\lambda \to 0$ this is ROME's update, as $\lambda \to \infty$ nothing happens. The published 15,000 belongs to keys
  of a model with 6 billion parameters; in the embedded one $s$ is about 60.
- Without reading $h_i^L$ anew, every layer would do the same work again and the states would overshoot.
- Ten subjects are few for a layer: on the embedded model, where everything below the edited state can be bent, MEMIT
  keeps more than ten edits of ROME one after the other, and forgets less. What it was made for are thousands.

## Differences

1. As in this collection's ROME: requests are subjects, each with all of its questions (keys and states are means over
   them); contexts and $C$ come from the retain set; $\delta$'s learning rate and steps are the recipe's.
2. A small multiple of the identity is added to $C$, whose keys may be fewer than their dimensions.
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
    least_squares_update,
    with_ridge,
)


@dataclass(frozen=True)
class MEMIT(Method):
    """Spread the edits of all subjects over a window of layers."""

    paper = "meng2022massediting"
    acts_on = "weights"
    retain = "optional"
    trains = "nothing"
    parts = ("memories",)
    published = {
        "learning_rate": 0.5,
        "steps": 25,
        "source": "released code, GPT-J: the search for the new values",
    }

    objective: str = hyperparameter(
        "fact-erasure",
        "what deletion is: make the answer unlikely, a false one likely, or the empty response",
        source="Patil et al., section 4",
        choices=("fact-erasure", "error-injection", "empty-response"),
    )
    response: str = hyperparameter("I don't know.", "d, the empty response", source="Patil et al. leave it open")
    depth: float = hyperparameter(
        0.3,
        "L, the last edited layer, as a fraction of the depth",
        source="layer 8 of GPT-J's 28",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(3, "how many layers are edited", source="Patil et al.", minimum=1)
    preservation: float = hyperparameter(
        15000.0,
        "λ, weight of kept keys",
        source="published GPT-J run",
        above=0,
        trade_off=(1.0, 5.0, 20.0, 100.0, 15000.0),
    )
    contexts: int = hyperparameter(
        2, "how many texts come before each prompt in turn", source="published code: several", minimum=0
    )
    kl_weight: float = hyperparameter(0.0625, "weight of the KL term", source="published code", minimum=0)
    shrinkage: float = hyperparameter(0.5, "weight of δ's length", source="published code", minimum=0)
    clamp: float = hyperparameter(0.75, "κ, how long δ may be", source="published code", above=0)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find all target states, then walk up the window."""
        window = Window.up_to(model, self.depth, self.window)
        covariances = [with_ridge(memory.second_moment(model, data.others)) for memory in window.memories]
        search = ValueSearch(self.objective, self.kl_weight, self.shrinkage, self.clamp)
        requests = deletion_requests(model, data, self.objective, self.response, self.contexts, run.rng)
        updates = [
            partial(least_squares_update, covariance, preservation=self.preservation) for covariance in covariances
        ]
        window.write(requests, search, updates, run)
        return model
