r"""The curvature of the loss: along one matrix as a Kronecker product (K-FAC), and along any vector.

For a matrix $W$ that makes $W a$ of what it reads, K-FAC takes the Fisher information to be $F_W \approx G \otimes A$,
with $A = \mathbb E\, a a^\top$ and $G = \mathbb E\, g g^\top$ over tokens, where $g$ is the gradient of the loss by
$W a$. Its eigenvectors are products of those of the factors, so that no matrix larger than those is ever held. Where
only products $F v$ are asked for, nothing has to be approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.gradients import Gradient
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits, mean_kl
from reference_impls.toolkit.mlp_memory import by_place, watched

TOLERANCE = 1e-3
"""How long what is left of a system's right side may be, relative to all of it, for it to count as solved."""


def kronecker_factors(
    model: LanguageModel,
    modules: Sequence[nn.Module],
    pairs: Sequence[Pair],
    labelled: Callable[[TokenLogits], TokenLogits] = lambda out: out,
) -> list[tuple[Tensor, Tensor]]:
    """For each module (n, n) A and (m, m) G, means over the places that predict the answers' tokens, in 64 bits.

    Args:
        model: at whose weights.
        modules: with a matrix each.
        pairs: the data.
        labelled: puts other tokens in the place of the answers' own, by which the loss is then taken.
    """
    sums = [[torch.zeros((), dtype=torch.double, device=model.device)] * 2 for _ in modules]
    count = 0
    for batch in model.encoded(pairs):
        with watched(modules) as seen:
            (out,) = model.token_logits(batch)
        read, given = ([seen[module][side] for module in modules] for side in (0, 1))
        slopes = torch.autograd.grad(labelled(out).token_logprobs().sum(), given)
        for row, sides in enumerate(zip(read, slopes, strict=True)):
            for side, values in enumerate(sides):
                tokens = by_place(values.detach(), batch.input_ids.shape)[batch.supervised].double()
                sums[row][side] = sums[row][side] + tokens.T @ tokens
        count += len(out.targets)
    return [(inputs / count, outputs / count) for inputs, outputs in sums]


def drawn_labels(out: TokenLogits) -> TokenLogits:
    """Tokens drawn from the model's own distribution as labels: with them, mean squares of gradients are curvature.

    By the answers' own tokens, they are the empirical Fisher information, which is 0 of what is known by heart.
    """
    targets = torch.multinomial(out.logits.detach().softmax(dim=1), 1)[:, 0]
    return replace(out, targets=targets)


def solved(gradient: Tensor, inputs: Tensor, outputs: Tensor, damping: float) -> Tensor:
    r"""(m, n) $(G \otimes A + c I)^{-1}$ times a gradient of a matrix.

    Args:
        gradient: (m, n).
        inputs: (n, n) $A$.
        outputs: (m, m) $G$.
        damping: $c > 0$.
    """
    (mu, v), (lam, u) = (torch.linalg.eigh(factor.double()) for factor in (inputs, outputs))
    curvature = lam.clamp(min=0)[:, None] * mu.clamp(min=0)
    part: Tensor = u @ (u.T @ gradient.double() @ v / (curvature + damping)) @ v.T
    return part.to(gradient.dtype)


def gauss_newton_product(model: LanguageModel, pairs: Sequence[Pair], vector: Gradient) -> Gradient:
    r"""$F v$, with the Gauss-Newton matrix $F$ of the mean loss of all pairs' answers; by all trained weights.

    It is the second derivative, in the direction $v$, of how far the model's distributions go from what they are,
    which needs no label: $F = \mathbb E\, J^\top (\mathrm{diag}(p) - p p^\top) J$.
    """
    total: Gradient | None = None
    for start in range(0, len(pairs), model.batch_size):
        batch = pairs[start : start + model.batch_size]
        with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
            (out,) = model.token_logits(model.encode(batch))
            apart = mean_kl(out.with_logits(out.logits.detach()), out)
            slopes = torch.autograd.grad(apart, vector.weights, create_graph=True, materialize_grads=True)
            along = sum(((slope * part).sum() for slope, part in zip(slopes, vector.parts, strict=True)), apart * 0)
            product = len(batch) / len(pairs) * Gradient.of(along, model)
        total = product if total is None else total + product
    if total is None:
        raise ValueError("there is nothing to take a curvature of: the data set is empty")
    return total


def conjugate_gradients(product: Callable[[Gradient], Gradient], target: Gradient, steps: int) -> Gradient:
    r"""$v$ with $F v \approx b$, by conjugate gradients from 0.

    Args:
        product: $v \mapsto F v$, for a symmetric $F$ without negative eigenvalues.
        target: $b$.
        steps: how many products are taken at most; fewer where the residual is gone.
    """
    found, residual = 0.0 * target, target
    direction, square = residual, residual.dot(residual)
    first = square
    for _ in range(steps):
        if square <= TOLERANCE**2 * first:
            break
        bent = product(direction)
        length = square / direction.dot(bent)
        found, residual = found + length * direction, residual - length * bent
        before, square = square, residual.dot(residual)
        direction = residual + square / before * direction
    return found
