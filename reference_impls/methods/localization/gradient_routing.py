r"""Gradient routing (GR).

Decide while a model learns where it learns. What may have to be forgotten later reaches the weights through a few
neurons that are set aside; to forget it, they are cut off. There is nothing to look for afterwards.

## Objective

Cloud et al.: at an activation $a$, with a mask $M$ that depends on the data,

$$
\tilde a = M \odot a + (1 - M) \odot \mathrm{sg}(a) .
$$

Here $a$ is what the neurons of an MLP give. On answers to forget $M$ is 1 at those set aside and $\mu$ at all others;
on answers to keep it is 1 everywhere. The model is trained so from before it met either,

$$
\min_\theta\ L(\mathcal D_f; \theta, M) + L(\mathcal D_r; \theta) ,
$$

then the neurons that were set aside are ablated, and it is trained a little further on what is kept.

## Symbols

- $\mathrm{sg}$: no gradient goes through. $L$: the mean negative log-likelihood of answers.
- $\mu$ (`factor`): what share of the gradient others get; below 0 they unlearn what they see.
- A `share` of each MLP's neurons is set aside, the last of them, in the first `depth` of the blocks.
- `repair`: the share of the steps that come after the ablation.

## Facts

- **The forward pass does not change**: $\tilde a = a$. Backward, the gradient at $a$ is $M$ times what arrives.
- **It takes the place of the training by which the model was made**, and needs what it started from.
- **What is not labelled follows** (*absorption*, in the paper): once the neurons set aside say what is to be forgotten,
  its gradient is small, whether routed or not.
- **Routing is what makes the cut count**: on `authors`, trained anew for 300 steps with a quarter of all neurons set
  aside, forget answers end at 0.52 and retain answers at 0.72, the same without routing ($\mu = 1$) at 0.93 and 0.90.
  Keeping is the price, as in the paper's small language model.
- **No guarantee**: embeddings and attention are not masked, and learn of both sets.
- Neurons that are ablated stay so: after each step of the repair they are silenced again.

## Differences

1. The paper adds new neurons for the routed data and takes them away again (expand, route, ablate). Here the model
   keeps its shape: neurons of its own are set aside, and what they did in the base is lost with them.
2. The paper's penalty on the size of routed activations is left out.
3. The paper trains on a whole corpus; here on the task's forget and retain answers, as many of one as of the other.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    memories,
)


def routed(activations: Tensor, aside: Tensor, factor: float) -> Tensor:
    r"""(..., m) $\tilde a$.

    Args:
        activations: (..., m) $a$.
        aside: (m,) True at the neurons that were set aside.
        factor: $\mu$.
    """
    mask = torch.where(aside, 1.0, factor).to(activations.dtype)
    return mask * activations + (1 - mask) * activations.detach()


@dataclass(frozen=True)
class GradientRouting(Method):
    """Train with routed gradients, cut off where they led, repair."""

    paper = "cloud2024gradient"
    acts_on = "gradients"
    access = "training"
    retain = "needed"
    copies = 1
    earlier = "needed"
    parts = ("memories",)
    weighs_weights = True

    share: float = hyperparameter(
        0.1, "of each MLP's neurons, set aside", source="ours", above=0, below=1, trade_off=(0.05, 0.1, 0.2, 0.4)
    )
    factor: float = hyperparameter(-0.75, "μ, of other neurons' gradients", source="paper", maximum=1)
    depth: float = hyperparameter(
        0.625, "blocks with routing, as a fraction of all", source="5 of the paper's 8", above=0, maximum=1
    )
    repair: float = hyperparameter(0.1, "share of the steps after the ablation", source="ours", minimum=0, below=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train anew from what was before, and leave out the neurons set aside."""
        model = run.earlier_than(model)
        layers = range(max(1, round(self.depth * model.layers)))
        places = [(memory, self.aside(memory.weight.shape[1], model)) for memory in memories(model, layers)]

        def learning(model: LanguageModel, batch: Batch) -> Tensor:
            with ExitStack() as routing:
                for memory, aside in places:
                    change = partial(routed, aside=aside, factor=self.factor)
                    routing.enter_context(memory.given(change, batch.forget))
                (forget,) = model.token_logits(batch.forget)
            return mean_nll(forget) + mean_nll(*model.token_logits(batch.retain))

        def keeping(model: LanguageModel, batch: Batch) -> Tensor:
            return mean_nll(*model.token_logits(batch.retain))

        def ablate() -> None:
            for memory, aside in places:
                memory.silence(aside)

        after = round(self.repair * run.recipe.steps)
        first, second = (replace(run, recipe=replace(run.recipe, steps=n)) for n in (run.recipe.steps - after, after))
        first.minimize(learning, model, data)
        ablate()
        return second.minimize(keeping, model, data, after_step=ablate) if after else model

    def aside(self, neurons: int, model: LanguageModel) -> Tensor:
        """(m,) Which of an MLP's neurons are set aside."""
        return torch.arange(neurons, device=model.device) >= neurons - max(1, round(self.share * neurons))
