r"""Large-scale knowledge washing (LaW).

Start from an edit that writes nothing, the end of the text, where facts are looked up; then, layer by layer, push the
edit on to where it disturbs these facts most, within a budget for how much it may disturb of everything else.

## Objective

Wang et al., for each layer of a window, from the lowest on:

$$
\max_\Delta\; \| \Delta K_* \|_F^2
\quad\text{s.t.}\quad
\frac{\mathrm{tr}(\Delta C \Delta^\top)}{\mathrm{tr}(C)} \le \beta,
\qquad
W \leftarrow W + \Delta,
$$

from MEMIT's solution $\Delta_0 = R K_*^\top (\lambda C + K_* K_*^\top)^{-1}$, with $\lambda$ so small that
$\|\Delta_0\|_F \ge \gamma\, \|W\|_F$ and $\beta = b\, \mathrm{tr}(\Delta_0 C \Delta_0^\top) / \mathrm{tr}(C)$, by
Adam's steps; where one leaves the budget, $\Delta$ is scaled back to it.

## Symbols

- $K_*, C, R$: as in this collection's MEMIT, the keys of what is to be forgotten, the second moment of kept text's keys
  and what the search for new values leaves to be written.
- $\gamma$ (`length`), $b$ (`slack`); `rate` and `iterations`: of Adam, a hundredth of the rate once the budget was used
  up.
- Before each layer but the first, subjects of which no answer is left any more are taken off the list.

## Facts

- **How far it could get is known**: $\max \|\Delta K_*\|_F^2 = \beta\, \mathrm{tr}(C)\, \mu$, with $\mu$ the largest
  eigenvalue of $C^{-1} K_* K_*^\top$, at a $\Delta$ of rank one: the same loud thing at all subjects, in the direction
  that they have most in common and kept text least.
- **It does not get there.** Scaling back is not the nearest point within the budget unless $C$ is the identity, so the
  steps end elsewhere. And with the released settings no weight goes further than $10^{-5}$, a thousandth of its size:
  what is washed is what the start washes.
- **$\Delta$ and $-\Delta$ are as good**: nothing in the objective says what is to be said instead. That is the start's.
- On `authors` a start of 0.8 of the weights' length takes forget answers from 0.96 to 0.74 of probability and retain
  answers to 0.91, where this collection's MEMIT stands at 0.75 and 0.91; so it does whether the end of the text is
  written or the true answers are led away from. What is said then is other people's values, not nothing.
- Of a start of 0.5, washing with steps of $10^{-4}$ takes 0.01 more of either, and with steps of $10^{-3}$ it gives
  forget answers back, as the disturbance gathers in one direction: more of it is not more forgetting.

## Differences

1. As in this collection's MEMIT: requests are subjects with all of their questions; $C$ is of the retain set. Whether a
   subject is washed is asked of its questions: none of them is answered word for word as in training.
2. The end of the text is the empty response without words; `objective` takes MEMIT's others as well.
3. The code multiplies $\lambda$ by 0.75 until $\Delta_0$ is long enough, and adds 100,000 where it has become longer
   than $\tfrac34 \|W\|_F$, which the first does not lead to; here it is multiplied alone, 60 times at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    ValueSearch,
    Window,
    deletion_requests,
    hyperparameter,
    least_squares_update,
    mean_keys,
    with_ridge,
)

DECAY, ATTEMPTS = 0.75, 60
SLOWER = 100


def long_enough(covariance: Tensor, keys: Tensor, residuals: Tensor, preservation: float, length: float) -> Tensor:
    r"""(d, d_ff) $\Delta_0$, for the first $\lambda$ with which it is as long as it should be.

    Args:
        covariance: (d_ff, d_ff) $C$.
        keys: (d_ff, n) $K_*$.
        residuals: (d, n) $R$.
        preservation: $\lambda$ to begin with.
        length: $\gamma\, \|W\|_F$.
    """
    for _ in range(ATTEMPTS):
        update = least_squares_update(covariance, keys, residuals, preservation)
        if update.norm() >= length:
            break
        preservation *= DECAY
    return update


def washed(start: Tensor, keys: Tensor, covariance: Tensor, slack: float, rate: float, steps: int) -> Tensor:
    r"""(d, d_ff) $\Delta$, in 64 bits.

    Args:
        start: (d, d_ff) $\Delta_0$.
        keys: (d_ff, n) $K_*$.
        covariance: (d_ff, d_ff) $C$.
        slack: $b$.
        rate: Adam's.
        steps: how many.
    """
    k, c = keys.double(), covariance.double()
    update = start.double().clone().requires_grad_()
    budget = slack * ((update @ c) * update).sum().detach()
    optimizer = torch.optim.Adam([update], rate)
    for _ in range(steps):
        with torch.enable_grad():
            disturbed = (update @ k).square().sum()
        (gradient,) = torch.autograd.grad(disturbed, [update])
        update.grad = -gradient
        optimizer.step()
        with torch.no_grad():
            cost = ((update @ c) * update).sum()
            if cost > budget:
                update *= (budget / cost).sqrt()
                optimizer.param_groups[0]["lr"] = rate / SLOWER
    return update.detach()


def still_known(model: LanguageModel, pairs: Sequence[Pair]) -> bool:
    """Whether any question is answered, token by token, as it was in training."""
    prompts, answers = [pair.prompt for pair in pairs], [pair.answer for pair in pairs]
    return any(bool(expected.likeliest.all()) for expected in model.distributions(prompts, answers))


@dataclass(frozen=True)
class LaW(Method):
    """Wash what is known of all subjects out of a window of layers."""

    paper = "wang2024large"
    acts_on = "weights"
    retain = "optional"
    trains = "nothing"
    parts = ("memories",)
    published = {"learning_rate": 0.5, "steps": 25, "source": "released code, GPT-J: the search for the new values"}

    objective: str = hyperparameter(
        "empty-response",
        "what the start writes: the response, a false answer, or away from the true one",
        source="code: the end of the text",
        choices=("fact-erasure", "error-injection", "empty-response"),
    )
    response: str = hyperparameter("", "the response; without words it is the end of the text", source="code")
    depth: float = hyperparameter(
        0.3,
        "the last washed layer, as a fraction of the depth",
        source="layer 8 of GPT-J's 28",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(6, "how many layers are washed", source="code, GPT-J", minimum=1)
    length: float = hyperparameter(
        0.333,
        "γ, how long the start is, as a part of the weights",
        source="code: a third",
        above=0,
        trade_off=(0.2, 0.333, 0.5, 0.8, 1.2),
    )
    slack: float = hyperparameter(1.1, "b, the budget over what the start uses", source="code", above=0)
    rate: float = hyperparameter(1e-8, "how far Adam steps", source="code, GPT-J", above=0)
    iterations: int = hyperparameter(100, "steps of Adam", source="ours; code: 1000", minimum=0)
    preservation: float = hyperparameter(100000.0, "λ to begin with", source="code, GPT-J", above=0)
    contexts: int = hyperparameter(2, "how many texts come before each prompt in turn", source="code", minimum=0)
    kl_weight: float = hyperparameter(0.0625, "weight of the KL term", source="code", minimum=0)
    shrinkage: float = hyperparameter(0.5, "weight of δ's length", source="code", minimum=0)
    clamp: float = hyperparameter(0.75, "κ, how long δ may be", source="code", above=0)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find where to start in all layers, then wash one after the other."""
        window = Window.up_to(model, self.depth, self.window)
        before = [memory.weight.clone() for memory in window.memories]
        moments = [with_ridge(memory.second_moment(model, data.others)) for memory in window.memories]
        requests = deletion_requests(model, data, self.objective, self.response, self.contexts, run.rng)
        search = ValueSearch(self.objective, self.kl_weight, self.shrinkage, self.clamp)
        rules = [
            partial(long_enough, moment, preservation=self.preservation, length=self.length * float(weight.norm()))
            for moment, weight in zip(moments, before, strict=True)
        ]
        window.write(requests, search, rules, run)
        starts = [memory.weight - weight for memory, weight in zip(window.memories, before, strict=True)]
        for memory, weight in zip(window.memories, before, strict=True):
            memory.weight.copy_(weight)
        asked = deletion_requests(model, data, "fact-erasure", "", 0, run.rng)  # the same subjects, with true answers
        for done, (memory, start, moment) in enumerate(zip(window.memories, starts, moments, strict=True)):
            run.progress("washing", done, len(starts))
            pairs = zip(requests, asked, strict=True)
            left = [request for request, own in pairs if not done or still_known(model, own.pairs)]
            if not left:
                break
            update = washed(start, mean_keys(model, memory, left), moment, self.slack, self.rate, self.iterations)
            memory.weight.add_(update.to(memory.weight.dtype))
        return model
