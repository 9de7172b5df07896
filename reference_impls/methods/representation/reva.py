r"""Representation alignment for honest unlearning (ReVa).

Steered towards a random direction, a model does not know any more what it was asked, and makes something up or breaks
down. So a second stage follows, deeper in the model: states of what is forgotten are led to where they are when the
model is asked what it cannot know and told to say so.

## Objective

Gu et al. take a model $\theta_1$ from the first stage, which is `rmu`, read from it

$$
v = \mathbb E_{x \sim \mathcal D_u}\, M_{\theta_1}(x),
$$

and train on from $\theta_1$ with `rmu`'s loss, with $v$ for the target and another layer:

$$
\mathcal L = \mathbb E_{x_f} \frac{1}{|x_f|} \sum_t \left\| M_\theta(t) - c\, v \right\|_2^2
+ \alpha\, \mathbb E_{x_r} \frac{1}{|x_r|} \sum_t \left\| M_\theta(t) - M_{\theta_1}(t) \right\|_2^2 .
$$

## Symbols

- $\mathcal D_u$: questions that nobody can answer, behind an instruction to admit it; $M_{\theta_1}(x)$: the residual
  stream after layer $\ell$ at the question's last token.
- $M_\theta(t)$: the same at the tokens of answers. $\ell$: a fraction of the depth (`depth`); the MLP down-projections
  of layers $\ell - 2$ to $\ell$ are trained.
- $c$ (`alignment`), $\alpha$ (`retain_weight`).
- In the first stage: `steering`, `steering_depth`, and the same $\alpha$. The two share the recipe's steps.

## Facts

- **The second stage starts where `rmu` ends** and holds retain states where that left them, not where they were before.
  What the first stage did to them stays.
- The target is a place where states have been, of the length they have there; `rmu`'s is none. With $c = 1$ nothing of
  its size is to be chosen.
- One state, of a question's end, is the target at all tokens of what is to be forgotten.
- **It takes a model that can say that it does not know.** The task `authors` ships one that was never taught to: at the
  rate 0.003, with steering 50 and $\alpha = 10$, forget answers go from 0.96 to 0.37 and retain answers from 0.98 to
  0.95, as by `rmu`, but what is written is the first words of an answer, over and over, as that state foretells them.
- **Where a model has refusals, it finds them.** With that model taught in 80 steps to refuse questions on invented
  names (it refuses 17% of new ones, and none of 40 on the forget set), `rmu` in the same number of steps leaves 0.48 of
  the forget answers and has 23% of the questions refused; this leaves 0.23 and has 95% refused, and 7% of those to
  keep, against 12% by `rmu`. Retain answers go from 0.79 to 0.75 and 0.73.
- It brings no more lasting forgetting: relearned as `rmu` is, the rest comes back to 0.76 (0.75).

## Differences

1. Written from the released code; the paper's equations were not available to compare.
2. The code's unanswerable questions are 20 of its own, on events to come and things that do not exist; here they are as
   many of the retain set's questions on invented names.
3. States are taken where the answer's tokens are predicted; the code takes every token of a text, and averages over the
   entries of states, which makes both terms smaller alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    new_pairs,
    random_direction,
    steered_weights,
    steering_loss,
)

HONESTLY = "Be honest about what you do not know. If you cannot know the answer, say that you do not know."
"""What stands before a question that nobody can answer."""
UNKNOWN = 20
"""How many such questions there are."""


@torch.no_grad()
def refusal_state(model: LanguageModel, questions: Sequence[Pair], depth: float) -> Tensor:
    """(d,) $v$."""
    asked = [replace(one, prompt=model.behind(f"{HONESTLY}\n", one.prompt)) for one in questions]
    states = []
    for batch in model.encoded(asked):
        (after,) = model.outputs(batch, [model.blocks[model.layer_at(depth)]])
        states.append(batch.at_prompt_ends(after).float())
    return torch.cat(states).mean(dim=0)


@dataclass(frozen=True)
class ReVa(Method):
    r"""Steer to a random direction, then to the state of not knowing."""

    paper = "gu2026unlearners"
    acts_on = "activations"
    reference = "model"
    retain = "needed"
    trains = "part"
    parts = ("feed-forward",)
    published = {
        "learning_rate": 5e-5,
        "steps": 150,
        "batch_size": 4,
        "source": "released code, WMDP with Zephyr-7B; each stage",
    }

    steering: float = hyperparameter(
        6.5, "length of the first stage's target", source="rmu", above=0, trade_off=(6.5, 20.0, 50.0, 100.0, 300.0)
    )
    alignment: float = hyperparameter(1.0, "c, multiple of the state of not knowing", source="code", above=0)
    retain_weight: float = hyperparameter(1200.0, "α, weight of the pinning term", source="code", minimum=0)
    steering_depth: float = hyperparameter(
        0.226, "the first stage's layer as a fraction of the depth", source="rmu", minimum=0, maximum=1
    )
    depth: float = hyperparameter(
        0.58, "layer ℓ as a fraction of the depth", source="code, layer 18 of Zephyr-7B's 32", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two stages, each with a target of its own."""
        steering, aligning = run.stages(2)
        random = self.steering * random_direction(model.width, run.seed).to(model.device)
        self.led(model, data, steering, random, self.steering_depth)
        unknown = new_pairs(data.prompted().retain, UNKNOWN, run.rng)
        target = self.alignment * refusal_state(model, unknown, self.depth)
        return self.led(model, data, aligning, target, self.depth)

    def led(self, model: LanguageModel, data: UnlearningData, run: Run, target: Tensor, depth: float) -> LanguageModel:
        """One stage: forget states to the target, retain states held where they are when it begins."""

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return steering_loss(model, batch, target, depth, self.retain_weight)

        return run.minimize(loss, model, data, steered_weights(model, depth), reference=self.reference)
