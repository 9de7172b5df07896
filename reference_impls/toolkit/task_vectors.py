r"""Task vectors: what a training did to the weights, as a vector that can be taken away again, and how several merge.

One weight is read at a time, so that no third model has to be in memory beside the two whose difference it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from reference_impls.toolkit.masks import most_salient


def task_vector(model: torch.nn.Module, finetuned: torch.nn.Module) -> Iterator[Tensor]:
    r"""$\tau = \theta_{\mathrm{ft}} - \theta_0$, weight by weight, in the order of the model's weights.

    In 32 bits, for a difference of two rounded numbers loses what is small.

    Raises:
        ValueError: the two models do not have the same weights.
    """
    weights, tuned = dict(model.named_parameters()), dict(finetuned.named_parameters())
    if weights.keys() != tuned.keys():
        raise ValueError(f"the models differ in {sorted(weights.keys() ^ tuned.keys())}")
    for name, weight in weights.items():
        yield tuned[name].detach().float() - weight.detach().float()


@torch.no_grad()
def subtract_task_vector(model: torch.nn.Module, vector: Iterable[Tensor], scale: float) -> None:
    r"""In place, $\theta \leftarrow \theta_0 - \lambda\, \tau$ for every weight, rounded once.

    Args:
        model: with the weights $\theta_0$.
        vector: $\tau$, for each weight a tensor of its shape.
        scale: $\lambda$.
    """
    for weight, tau in zip(model.parameters(), vector, strict=True):
        weight.copy_(weight.float() - scale * tau)


def trimmed_task_vector(model: torch.nn.Module, finetuned: torch.nn.Module, density: float) -> Iterator[Tensor]:
    r"""$\mathrm{top}_k(\tau)$: the entries of largest size of the whole vector, all others 0.

    Args:
        model: with the weights $\theta_0$.
        finetuned: with $\theta_{\mathrm{ft}}$.
        density: $k$, the share of entries that is kept.
    """
    masks = most_salient([tau.abs() for tau in task_vector(model, finetuned)], density)
    return (tau * mask for tau, mask in zip(task_vector(model, finetuned), masks, strict=True))


def elected_mean(vectors: Tensor) -> Tensor:
    """(...) from (n, ...) vectors: of each entry, the mean of those that have the sign of their sum; 0 where none has.

    An entry that is 0 has no say.
    """
    agreeing = vectors * vectors.sum(dim=0).sign() > 0
    return (vectors * agreeing).sum(dim=0) / agreeing.sum(dim=0).clamp(min=1)


def ties(model: torch.nn.Module, finetuned: Sequence[torch.nn.Module], density: float) -> Iterator[Tensor]:
    """Task vectors merged as TIES does (Yadav et al. 2023), weight by weight: each trimmed, then the elected mean.

    Args:
        model: what the others were fine-tuned from.
        finetuned: one model or more.
        density: the share of each vector that trimming leaves.
    """
    trimmed = [trimmed_task_vector(model, tuned, density) for tuned in finetuned]
    return (elected_mean(torch.stack(taus)) for taus in zip(*trimmed, strict=True))


def unanimous_mean(vectors: Iterable[Iterable[Tensor]]) -> list[Tensor]:
    """The mean of some vectors where all of them have the same sign, and 0 everywhere else.

    An entry that is 0 agrees with none. One vector is looked at after the other, so they need not exist at once.

    Args:
        vectors: one or more, each of as many tensors, of the same shapes.
    """
    total: list[Tensor] = []
    signs: list[Tensor] = []
    count = 0
    for count, vector in enumerate(vectors, start=1):
        if count == 1:
            total = [tau.clone() for tau in vector]
            signs = [tau.sign().to(torch.int8) for tau in total]
            continue
        for running, sign, tau in zip(total, signs, vector, strict=True):
            running += tau
            sign *= sign == tau.sign()
    return [running * (sign != 0) / count for running, sign in zip(total, signs, strict=True)]
