r"""Task vectors: what a training did to the weights, as a vector that can be taken away again.

One weight is read at a time, so that no third model has to be in memory beside the two whose difference it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


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
