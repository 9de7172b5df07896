"""An optimizer over weights of any precision: no step is lost that is small beside a weight of few bits.

A weight of 16 bits rounds away what is less than a few thousandths of it, which most steps of fine-tuning are. So each
such weight that trains has a master copy in 32 bits, which the optimizer moves; the weight is its rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MakeOptimizer = Callable[..., torch.optim.Optimizer]
"""Called as ``make(weights, lr=..., weight_decay=...)``, as the optimizers of ``torch.optim`` are."""

FUSED = ("cpu", "cuda")
"""Devices on which torch has an AdamW that goes through the weights once, not once for each of its operations."""


class Stepper:
    """Moves weights along their gradients."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        make: MakeOptimizer,
        learning_rate: float,
        weight_decay: float,
        warmup: int,
    ) -> None:
        """Make the optimizer.

        Args:
            weights: those that may move.
            make: the optimizer's class.
            learning_rate: after warm-up.
            weight_decay: as the optimizer understands it.
            warmup: over how many steps the rate rises linearly from 0.
        """
        self.weights = list(weights)
        self.moved = [_master(weight) if torch.finfo(weight.dtype).bits < 32 else weight for weight in self.weights]
        """What the optimizer moves: the weights, or the master copies of those with fewer bits."""
        fused = make is torch.optim.AdamW and all(weight.device.type in FUSED for weight in self.moved)
        more = {"fused": True} if fused else {}
        self.optimizer = make(self.moved, lr=learning_rate, weight_decay=weight_decay, **more)
        self._warmup = warmup
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._share)

    def _share(self, step: int) -> float:
        """Of the learning rate, at a step counted from 0."""
        return min(1.0, (step + 1) / self._warmup)

    def step(self, max_grad_norm: float, after: Callable[[], None] | None) -> None:
        """One step along the gradients that the weights have, which have none afterwards.

        Args:
            max_grad_norm: longer gradients are shortened to it.
            after: called without gradients when the weights have moved, if anything is; it may move them further.
        """
        for weight, master in self._copied():
            master.grad, weight.grad = None if weight.grad is None else weight.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self.moved, max_grad_norm)
        self.optimizer.step()
        with torch.no_grad():
            self.round()
            if after is not None:
                after()
                for weight, master in self._copied():
                    put_elsewhere = weight != master.to(weight.dtype)
                    master.copy_(torch.where(put_elsewhere, weight.float(), master))
        self._schedule.step()
        self.optimizer.zero_grad()

    @torch.no_grad()
    def round(self) -> None:
        """Let the weights be their master copies in fewer bits."""
        for weight, master in self._copied():
            weight.copy_(master)

    def go_on(self, step: int) -> None:
        """After the optimizer's state was put back: let the rate be that of a step, counted from 0."""
        self.round()
        self._schedule.last_epoch = step
        for group, rate in zip(self.optimizer.param_groups, self._schedule.base_lrs, strict=True):
            group["lr"] = rate * self._share(step)

    def _copied(self) -> list[tuple[Tensor, Tensor]]:
        pairs = zip(self.weights, self.moved, strict=True)
        return [(weight, master) for weight, master in pairs if weight is not master]


def _master(weight: Tensor) -> Tensor:
    return weight.detach().float().clone().requires_grad_()
