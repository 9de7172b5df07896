r"""The curvature of the loss along a matrix, as a Kronecker product (K-FAC).

For a matrix $W$ that makes $W a$ of what it reads, K-FAC takes the Fisher information to be $F_W \approx G \otimes A$,
with $A = \mathbb E\, a a^\top$ and $G = \mathbb E\, g g^\top$ over tokens, where $g$ is the gradient of the loss by
$W a$. Its eigenvectors are products of those of the factors, so that no matrix larger than those is ever held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits
from reference_impls.toolkit.mlp_memory import by_place, watched


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
    for start in range(0, len(pairs), model.batch_size):
        batch = model.encode(pairs[start : start + model.batch_size])
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
