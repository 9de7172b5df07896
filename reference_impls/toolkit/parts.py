"""A batch in parts that is still one batch: some of its rows in other processes, the rest one part after another.

Not the loss is divided but what is read of the model, (N, ...) numbers at the places that the loss looks at. Each
process computes its own rows and they tell each other the numbers, so that the loss sees the whole batch, whether or
not it is a mean over examples. Parts that come one after another keep nothing for the backward pass but what went in;
there each is computed again, and the gradients add up.

Gradients by what is read come to each process for the whole batch, and each carries on with its own rows. It multiplies
them by the number of processes, since all weights' gradients are then averaged: also those of weights behind what is
read, such as the head's, of which each process has the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reference_impls.toolkit import processes
from reference_impls.toolkit.padding import alike_lengths

Read = Callable[[Tensor], Tensor]
"""Called with the numbers of some rows; gives (n, ...) what is read at their places, in reading order."""


@dataclass(frozen=True)
class Parts:
    """How batches are divided."""

    count: int = 1
    """Parts one after another in each process."""
    rank: int = 0
    """Which process this is, from 0."""
    world: int = 1
    """How many processes there are."""

    @property
    def whole(self) -> bool:
        """Whether nothing is divided."""
        return self.count == self.world == 1


_WHOLE = Parts()
_CURRENT: ContextVar[Parts | None] = ContextVar("parts", default=None)


@contextmanager
def in_parts(parts: Parts) -> Iterator[None]:
    """While this lasts, models read batches in these parts; all processes are in it together."""
    token = _CURRENT.set(parts)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Parts:
    """How batches are divided now."""
    return _CURRENT.get() or _WHOLE


def read_in_parts(lengths: Tensor, sequence: Tensor, read: Read) -> Tensor:
    """(N, ...) what is read at the places of all rows.

    Args:
        lengths: (B,) tokens of each row; B is at least 1.
        sequence: (N,) which row each place belongs to, ascending.
        read: gives it for some rows, which are given ascending.
    """
    parts = current()
    own = lengths.argsort(stable=True)[parts.rank :: parts.world]
    idle = not len(own)  # more processes than rows; the gradient has to find its way all the same
    groups = _groups(lengths, torch.zeros_like(lengths[:1]) if idle else own, parts.count)
    with _same_draws(parts):
        values = torch.cat([_again(read, rows, keep=parts.count == 1 or rows is groups[-1]) for rows in groups])
    places = torch.cat([torch.isin(sequence, rows).nonzero()[:, 0] for rows in groups])
    if idle:
        values, places = values[:0], places[:0]
    if parts.world == 1:
        return values[places.argsort()]
    whole: Tensor = _Gathered.apply(values, places, len(sequence), parts.world)  # type: ignore[no-untyped-call]
    return whole


def _groups(lengths: Tensor, rows: Tensor, count: int) -> list[Tensor]:
    """Rows in groups of similar lengths, each ascending."""
    if count == 1:
        rows = rows.sort().values
        return [rows[group] for group in alike_lengths(lengths[rows])]
    return [group.sort().values for group in torch.tensor_split(rows, min(count, len(rows)))]


def _again(read: Read, rows: Tensor, keep: bool) -> Tensor:
    """What is read of some rows; in the backward pass it is computed again, unless its parts are kept."""
    if keep or not torch.is_grad_enabled():
        return read(rows)
    again: Tensor = checkpoint(read, rows, use_reentrant=False)
    return again


@contextmanager
def _same_draws(parts: Parts) -> Iterator[None]:
    """Let all processes go on with the same random numbers, whatever dropout drew in each for rows of its own."""
    if parts.world == 1:
        yield
        return
    before = _generators()
    yield
    if any(not torch.equal(old, new) for old, new in zip(before, _generators(), strict=True)):
        torch.set_rng_state(before[0])
        if len(before) > 1:
            torch.cuda.set_rng_state(before[1])
            torch.rand(1, device="cuda")
        torch.rand(1)


def _generators() -> list[Tensor]:
    """The states of torch's generators."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [])]


class _Gathered(torch.autograd.Function):
    """Each process's numbers at their places among those of all."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor, count: int, world: int) -> Tensor:
        ctx.save_for_backward(places)
        ctx.world = world
        whole = values.new_zeros(count, *values.shape[1:])
        return processes.summed(whole.index_copy_(0, places, values))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (places,) = ctx.saved_tensors
        return gradient[places] * ctx.world, None, None, None
