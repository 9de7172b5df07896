"""Leading hidden states somewhere: what the methods of that kind share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from reference_impls.toolkit.batch import Batch
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded, mean_by_sequence


def misdirection_loss(states: Tensor, target: Tensor, batch: Encoded) -> Tensor:
    r"""() The squared distance $\| M(t) - m(t) \|_2^2$, mean over a text's tokens, then over texts.

    Args:
        states: (N, d) activations at the supervised places of a batch.
        target: (N, d) or (d,) where they should be: far away, or the activations before unlearning.
        batch: the B texts.
    """
    return mean_over_answers((states - target).square().sum(dim=1), batch)


def mean_over_answers(values: Tensor, batch: Encoded) -> Tensor:
    """() The mean of (N,) values, one at each supervised place of a batch, over a text's places, then over texts."""
    sequence, _ = batch.supervised
    return mean_by_sequence(values, sequence, len(batch)).mean()


def steering_loss(
    model: LanguageModel,
    batch: Batch,
    target: Tensor,
    depth: float,
    retain_weight: float,
    hold: Callable[[Tensor], Tensor] = lambda states: states,
) -> Tensor:
    r"""() Forget states are led to a target, retain states held where they were before unlearning.

    Args:
        model: what learns.
        batch: one step's data, with the model before unlearning.
        target: (N, d) or (d,) where the forget states should be.
        depth: at which fraction of the depth the states are.
        retain_weight: $\alpha$, weight of the second term.
        hold: where retain states are held, of the (N, d) that they were before unlearning; there by default.
    """
    before = hold(batch.before.activations(batch.retain, depth))
    forget_loss = misdirection_loss(model.activations(batch.forget, depth), target, batch.forget)
    return forget_loss + retain_weight * misdirection_loss(model.activations(batch.retain, depth), before, batch.retain)


def random_direction(width: int, seed: int) -> Tensor:
    """(d,) A random unit vector with entries drawn uniformly from [0, 1) before normalization."""
    direction = torch.rand(width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(direction, dim=0)


def steered_weights(model: LanguageModel, depth: float) -> list[Tensor]:
    r"""The MLP down-projections of the layer $\ell$ at a fraction of the depth, and of the two below it."""
    last = model.layer_at(depth)
    return model.down_projections(range(max(0, last - 2), last + 1))
