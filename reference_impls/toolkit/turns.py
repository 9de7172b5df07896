"""AdamW for two objectives that take turns, each of which remembers its own gradients."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit.batch import Batch
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits

MEMORY, MEMORY_SHARED, EPSILON = (0.9, 0.999), (0.9, 0.95), 1e-8
r"""$(\beta_1, \beta_2)$ alone and with a shared state, and $\varepsilon$, as DualOptim's authors released them."""


class Moments:
    """Moving averages of a gradient and of its square, which begin at 0."""

    def __init__(self, weight: Tensor, memory: tuple[float, float]) -> None:
        self.averages = (torch.zeros_like(weight), torch.zeros_like(weight))
        self.memory, self.count = memory, 0

    def add(self, *values: Tensor) -> None:
        """Take up a gradient and its square, or what is left of them."""
        self.count += 1
        for average, value, beta in zip(self.averages, values, self.memory, strict=True):
            average.lerp_(value, 1 - beta)

    def corrected(self) -> list[Tensor]:
        """Both without the zeros of the start; 0 where nothing was taken up."""
        pairs = zip(self.averages, self.memory, strict=True)
        return [average / (1 - beta ** max(1, self.count)) for average, beta in pairs]


def forgets(turn: int, retain_steps: int) -> bool:
    """Whether a turn, counted from 0, is one of forgetting: one, and then those of keeping."""
    return turn % (1 + retain_steps) == 0


def loss_in_turns(
    retain_steps: int, forgotten: Callable[[TokenLogits], Tensor], kept: Callable[[TokenLogits], Tensor]
) -> Callable[[LanguageModel, Batch], Tensor]:
    """A loss for the training loop, which looks at one side of a batch: that whose turn it is.

    It counts the turns as :class:`DualAdamW` does, so that each call has to be followed by one step.
    """
    turns = itertools.count()

    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        due = forgets(next(turns), retain_steps)
        (out,) = model.token_logits(batch.forget if due else batch.retain)
        return forgotten(out) if due else kept(out)

    return loss


class DualAdamW(torch.optim.Optimizer):
    """AdamW with a state for each of two objectives, which take turns.

    ``turns`` are ``forget_rate``, the learning rate of forgetting relative to that of keeping, ``retain_steps``, how
    many turns of keeping follow one of forgetting, and ``shared``: whether there is a base that every turn changes, to
    which the two states hold the offsets.
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float, **turns: Any) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, **turns})
        self.turns = itertools.count()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step from the gradients as they are; the loop has no closure to evaluate again."""
        turn = next(self.turns)
        for group in self.param_groups:
            side = "forget" if forgets(turn, group["retain_steps"]) else "retain"
            rate = group["lr"] * (group["forget_rate"] if side == "forget" else 1.0)
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - rate * group["weight_decay"])
                    mean, square = self._moments(weight, weight.grad, side, group["shared"])
                    weight.addcdiv_(mean, square.abs().sqrt() + EPSILON, value=-rate)

    def _moments(self, weight: Tensor, gradient: Tensor, side: str, shared: bool) -> list[Tensor]:
        kept = self.state[weight]
        if not kept:
            memory = MEMORY_SHARED if shared else MEMORY
            kept.update({name: Moments(weight, memory) for name in ("forget", "retain", *["base"] * shared)})
        common = kept["base"].corrected() if shared else (0.0, 0.0)
        kept[side].add(gradient - common[0], gradient.square() - common[1])
        if shared:
            kept["base"].add(gradient, gradient.square())
        return [one + other for one, other in zip(kept[side].corrected(), common, strict=True)]
