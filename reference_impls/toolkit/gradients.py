r"""Gradients as vectors, for methods that change them between backward pass and step.

A :class:`Gradient` is one vector $g$ over all weights that are trained, kept tensor by tensor. A method that returns
one to :meth:`~reference_impls.toolkit.training.Run.minimize` decides itself along what the optimizer steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded, mean_nll
from reference_impls.toolkit.parts import current
from reference_impls.toolkit.processes import averaged

SHORTEST = 1e-30
"""How long a vector must be to have a direction: of shorter ones, quotients leave the range of 32 bits."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """A vector over the weights that are trained."""

    weights: tuple[Tensor, ...]
    """The weights themselves."""
    parts: tuple[Tensor, ...]
    """The vector's part for each, of the same shape."""

    @classmethod
    def of(cls, loss: Tensor, model: LanguageModel) -> Gradient:
        """The gradient of a loss by all weights of the model that have gradients; 0 where the loss does not reach."""
        weights = trained_weights(model)
        parts = torch.autograd.grad(loss, weights, materialize_grads=True)
        return cls(weights, averaged(parts) if current().world > 1 else parts)

    def __add__(self, other: Gradient) -> Gradient:
        return self._with([part + other_part for part, other_part in zip(self.parts, other.parts, strict=True)])

    def __sub__(self, other: Gradient) -> Gradient:
        return self + -1.0 * other

    def __rmul__(self, factor: float) -> Gradient:
        return self._with([factor * part for part in self.parts])

    def dot(self, other: Gradient) -> float:
        """The inner product over all weights, summed in 64 bits: in fewer, near 0 its sign would be lost."""
        products = (
            part.double() * other_part.double() for part, other_part in zip(self.parts, other.parts, strict=True)
        )
        return float(sum(product.sum() for product in products))

    def norm(self) -> float:
        """The length over all weights."""
        return math.sqrt(self.dot(self))

    def unit(self) -> Gradient:
        """The same direction with the length 1; a vector of zeros, or one too short to have a direction, stays."""
        length = self.norm()
        return 1 / length * self if length > SHORTEST else self

    def projected(self, onto: Gradient) -> Gradient:
        r"""The part of it along another, $\langle g, v \rangle / \lVert v \rVert^2 \; v$.

        It is 0 along a vector of zeros, and along one that is too short for 32 bits to hold the quotient.
        """
        square = onto.dot(onto)
        return (self.dot(onto) / square if square > SHORTEST**2 else 0.0) * onto

    def masked(self, masks: Sequence[Tensor]) -> Gradient:
        """0 outside the masks, each of its weight's shape or (rows,) for whole rows."""
        parts = []
        for part, mask in zip(self.parts, masks, strict=True):
            parts.append(part * mask.reshape(mask.shape + (1,) * (part.ndim - mask.ndim)))
        return self._with(parts)

    def scaled(self, factors: Sequence[Tensor]) -> Gradient:
        """Each entry times its own factor; those of a weight have its shape."""
        return self._with([part * factor for part, factor in zip(self.parts, factors, strict=True)])

    @torch.no_grad()
    def step(self, rate: float) -> None:
        r"""Move the weights by plain descent, to $\theta - \eta\, g$."""
        for weight, part in zip(self.weights, self.parts, strict=True):
            weight -= rate * part

    @contextmanager
    def ahead(self, distance: float) -> Iterator[None]:
        r"""While the context is open the weights are $\theta + d\, g$; afterwards, bit for bit what they were."""
        kept = [weight.detach().clone() for weight in self.weights]
        with torch.no_grad():
            for weight, part in zip(self.weights, self.parts, strict=True):
                weight += distance * part
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, before in zip(self.weights, kept, strict=True):
                    weight.copy_(before)

    def hand_over(self) -> None:
        """Put each part where an optimizer looks for it."""
        for weight, part in zip(self.weights, self.parts, strict=True):
            weight.grad = part.detach()

    def _with(self, parts: list[Tensor]) -> Gradient:
        return replace(self, parts=tuple(parts))


def trained_weights(model: LanguageModel) -> tuple[Tensor, ...]:
    """The weights that have gradients: while a method trains, those that may move."""
    return tuple(weight for weight in model.model.parameters() if weight.requires_grad)


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """() Of the angle between two gradients of a tensor, however small they are; 0 if one is 0."""
    first, second = one.flatten().double(), other.flatten().double()
    lengths = first.norm() * second.norm()
    return torch.where(lengths > 0, first @ second / lengths, 0.0)


def nll_gradient(
    model: LanguageModel, pairs: Sequence[Pair], relabeled: Callable[[Encoded], Encoded] = lambda batch: batch
) -> Gradient:
    """The gradient of the mean negative log-likelihood of all pairs' answers, a batch at a time.

    Args:
        model: at whose weights.
        pairs: the data.
        relabeled: puts other tokens in the place of a batch's answers first; by default they are the pairs' own.
    """
    total: Gradient | None = None
    for start in range(0, len(pairs), model.batch_size):
        batch = pairs[start : start + model.batch_size]
        loss = mean_nll(*model.token_logits(relabeled(model.encode(batch)))) * (len(batch) / len(pairs))
        gradient = Gradient.of(loss, model)
        total = gradient if total is None else total + gradient
    if total is None:
        raise ValueError("there is nothing to take a gradient of: the data set is empty")
    return total


def diagonal_fisher(model: LanguageModel, pairs: Sequence[Pair]) -> tuple[Tensor, ...]:
    r"""For each trained weight tensor, the diagonal of the empirical Fisher information.

    It is $\frac{1}{|\mathcal D|} \sum_{(x,y) \in \mathcal D} (\partial_{\theta_i} \ell(y \mid x; \theta))^2$ with the
    mean negative log-likelihood $\ell$ of an answer's tokens. The gradients are those of single answers: the square of
    a batch's mean gradient would be another, smaller number.
    """
    total = [torch.zeros_like(weight) for weight in trained_weights(model)]
    for pair in pairs:
        for importance, part in zip(total, nll_gradient(model, [pair]).parts, strict=True):
            importance += part.square() / len(pairs)
    return tuple(total)


def damped(fisher: Sequence[Tensor], damping: float) -> list[Tensor]:
    r"""$F_i + c \bar F$: what may be divided by, for a weight that no answer reaches has $F_i = 0$.

    Args:
        fisher: the diagonal, tensor by tensor.
        damping: $c > 0$, relative to the mean $\bar F$ over all weights.

    Raises:
        ValueError: no weight has any.
    """
    total = float(sum(part.double().sum() for part in fisher))
    if not total > 0:
        raise ValueError("the Fisher information is 0 everywhere: no answer has a gradient")
    mean = total / sum(part.numel() for part in fisher)
    return [part + damping * mean for part in fisher]
