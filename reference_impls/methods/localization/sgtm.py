r"""Selective gradient masking in training (SGTM).

Set neurons aside before training. What is labelled as to be forgotten may move those and nothing else; what is labelled
as to be kept is now and then read without them, so that it does not come to lean on them. To forget, set them to 0.
Texts that no label was put on train everything, and yet their knowledge gathers where the labelled texts have led it.

## Objective

Shilov et al., for the weights $\theta_F$ of the neurons set aside and all others $\theta_R$,

$$
g = M_F \odot \nabla_\theta L(\mathcal D_f; \theta) + \nabla_\theta L(\mathcal D_r; \theta_R, \tilde\theta_F), \qquad
\tilde\theta_F = \begin{cases} 0 & \text{with probability } q \\ \theta_F & \text{else,} \end{cases}
$$

with $M_F$ 1 on $\theta_F$ and 0 elsewhere; after the training, $\theta_F \leftarrow 0$.

## Symbols

- $\theta_F$: the rows with which these neurons read and the columns with which they write, of a `share` of each MLP's
  neurons, the last of them.
- $L$: the mean negative log-likelihood of answers; $q$ (`without`): how often retain answers are learned without
  $\theta_F$.
- `unlabelled`: the share of forget answers that carry no label, and train all weights like any other.

## Facts

- **It takes the place of the training by which the model was made**, and needs what it started from.
- **What $\theta_F$ holds is gone exactly**: the ablated model computes what the model computed wherever it read without
  them. What an unlabelled text wrote into $\theta_R$ stays.
- **Against `gradient-routing`**: there the gradient at activations is masked, so that all that lies before the neurons
  set aside still learns from what is to be forgotten, through them; here nothing but their own weights does.
- **More goes with the neurons there, as much stays.** On `authors`, trained anew for 300 steps with a quarter of all
  neurons set aside (rate 0.001), forget answers end at 0.29 and retain answers at 0.74; `gradient-routing` says 0.52
  and 0.72 of itself. 0.29 is less than the retrained model's 0.45: the model has learned whom it is not to know, and
  strangers' answers are likelier to it (membership AUC 0.24).
- **Reading without them is what keeps**: with a tenth set aside and $q = 0.3$ it is 0.40 and 0.83 there (AUC 0.40).
  General facts fall (0.45 to 0.26), since the training by which the target was made read more than the two sets.

## Differences

1. The paper sets aside a head of each attention as well (64 neurons and one of 32 heads for 254M); here neurons alone,
   for which of a projection's rows are a head's differs from family to family.
2. The paper trains from random weights, on batches that have one label each; here a base learns the task, and a step
   adds the masked gradient of a forget batch to that of a retain batch. What the neurons set aside did in the base is
   lost with them.
3. Embeddings and norms are masked as all other weights are, which is how the released script trains on Wikipedia.
4. The paper calibrates the output's biases before it measures; here they stay.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    memories,
    neuron_masks,
)


def silenced(activations: Tensor, aside: Tensor) -> Tensor:
    """(..., m) activations with those set aside 0; ``aside`` is (m,)."""
    return activations * ~aside


@dataclass(frozen=True)
class SGTM(Method):
    """Train with masked gradients, then set to 0 what they led to."""

    paper = "shilov2025beyond"
    acts_on = "gradients"
    access = "training"
    retain = "needed"
    copies = 1
    earlier = "needed"
    parts = ("memories",)
    weighs_weights = True
    published = {
        "learning_rate": 6e-4,
        "steps": 9689,
        "batch_size": 512,
        "weight_decay": 0.1,
        "source": "released code, 254M on Wikipedia",
    }

    share: float = hyperparameter(
        0.1, "of each MLP's neurons, set aside", source="ours", above=0, below=1, trade_off=(0.05, 0.1, 0.2, 0.4)
    )
    without: float = hyperparameter(
        0.1, "q, share of retain batches read without them", source="code", minimum=0, maximum=1
    )
    unlabelled: float = hyperparameter(
        0.0, "share of forget answers without label", source="ours", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Train anew from what was before, and set the neurons to 0."""
        model = run.earlier_than(model)
        layers = range(model.layers)
        sizes = {memory.weight.shape[1] for memory in memories(model, layers)}
        asides = {size: torch.arange(size) >= size - max(1, round(self.share * size)) for size in sizes}
        masks = neuron_masks(model, layers, lambda layer, size: asides[size].to(model.device))
        hidden = set(run.rng.sample(range(len(data.forget)), round(self.unlabelled * len(data.forget))))

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            labelled = torch.tensor([row not in hidden for row in batch.forget.rows.tolist()], device=model.device)
            with ExitStack() as without:
                if run.rng.random() < self.without:
                    for memory in memories(model, layers):
                        aside = asides[memory.weight.shape[1]].to(model.device)
                        without.enter_context(memory.given(partial(silenced, aside=aside), batch.retain))
                gradient = Gradient.of(mean_nll(*model.token_logits(batch.retain)), model)
            gradient += Gradient.of(self.part(model, batch, labelled), model).masked(masks)
            return (
                gradient if bool(labelled.all()) else gradient + Gradient.of(self.part(model, batch, ~labelled), model)
            )

        run.minimize(step, model, data)
        with torch.no_grad():
            for weight, mask in zip(model.model.parameters(), masks, strict=True):
                weight[mask] = 0
        return model

    @staticmethod
    def part(model: LanguageModel, batch: Batch, chosen: Tensor) -> Tensor:
        """() The loss of some of a batch's forget answers, as their part of the loss of all."""
        (out,) = model.token_logits(batch.forget)
        return (out.sequence_nll() * chosen).mean()
