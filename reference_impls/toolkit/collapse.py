r"""Unlearning by updates from which what all texts share has been taken out, token by token.

The gradient of a matrix is a sum over tokens of what is asked of its output times what it read,
:math:`\sum_t g_t a_t^\top`. Of the sum alone the two sides cannot be told; of its terms they can, and whatever is
common to most tokens on either side can be left out before they are added up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reference_impls.toolkit.batch import Batch
from reference_impls.toolkit.data import UnlearningData
from reference_impls.toolkit.gradients import Gradient
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded
from reference_impls.toolkit.mlp_memory import by_place, watched
from reference_impls.toolkit.training import Run

Breaking = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]
"""From (N, d) that the MLP of each broken block writes, now and before unlearning, to a loss ()."""


@dataclass(frozen=True)
class Common:
    """What is taken out: the direction of a mean (d,) and principal directions (k, d)."""

    mean: Tensor
    principal: Tensor

    @classmethod
    def of(cls, vectors: Tensor, count: int) -> Common:
        """``count`` directions of (N, d) vectors; none is all zeros."""
        mean = vectors.mean(dim=0) if count else torch.zeros_like(vectors[0])
        most = min(count - 1, *vectors.shape)
        principal = torch.pca_lowrank(vectors, most, niter=16)[2].T if most > 0 else vectors[:0]
        return cls(nn.functional.normalize(mean, dim=0), principal)

    def out_of(self, vectors: Tensor) -> Tensor:
        """(N, d) vectors without them: the mean's direction first."""
        left = vectors - torch.outer(vectors @ self.mean, self.mean)
        return left - left @ self.principal.T @ self.principal


def breaking_loss(now: Tensor, before: Tensor) -> Tensor:
    """() How much of (N, d) outputs still points where it did before, in squares of their mean length then."""
    alike: Tensor = (now * before).sum(dim=1) / before.norm(dim=1).mean().square()
    return alike.relu().mean()


def drift(now: Tensor, before: Tensor) -> Tensor:
    """() How far (N, d) states are from where they were, in mean lengths of what they were."""
    distance: Tensor = (now - before).norm(dim=1).mean() / before.norm(dim=1).mean()
    return distance


def but_first(batch: Encoded) -> Tensor:
    """(B, L) True at all tokens of a batch but the first of each text."""
    return (batch.attention_mask.cumsum(dim=1) > 1) & batch.attention_mask.bool()


def both_sides(
    model: LanguageModel,
    matrices: Sequence[nn.Module],
    broken: range,
    batch: Encoded,
    breaking: Breaking,
    before: Sequence[Tensor] = (),
) -> dict[nn.Module, tuple[Tensor, Tensor]]:
    r"""For each matrix (N, d_in) $a_t$ and (N, d_out) $g_t$ at all tokens of a batch but the first of each text.

    ``before`` are (B, L, d) what the MLPs of the broken blocks wrote; without it, what they write now.
    """
    places = but_first(batch)
    with watched(matrices) as seen:
        model.outputs(batch, [model.blocks[broken[-1]]])

    def there(values: Tensor) -> Tensor:
        return by_place(values, places.shape)[places]

    now = [there(seen[module][1]) for module in model.mlp_outputs(broken)]
    then = [there(values) for values in before] or [values.detach() for values in now]
    asked = torch.autograd.grad(breaking(now, then), [seen[matrix][1] for matrix in matrices])
    return {matrix: (there(seen[matrix][0]).detach(), there(one)) for matrix, one in zip(matrices, asked, strict=True)}


def broken_mlps(
    model: LanguageModel,
    data: UnlearningData,
    run: Run,
    broken: range,
    breaking: Breaking,
    common: tuple[int, int],
    retain_weight: float,
) -> LanguageModel:
    r"""Descend along $\Delta / \lVert \Delta \rVert + \alpha \nabla \mathcal L_r$ in all MLPs to the last broken one.

    What is common is found in a pass over the forget set before the first step, and anew after each pass over it.

    Args:
        model: what learns; it is returned.
        data: of which both sets are needed.
        run: the run.
        broken: the blocks whose MLPs are to write something else about forget texts.
        breaking: the loss that says so.
        common: how many directions are taken out of what matrices read, and of what is asked of their outputs.
        retain_weight: $\alpha$, with $\mathcal L_r$ the :func:`drift` of retain states behind the last broken block.
    """
    matrices = model.mlp_matrices(range(broken.stop))
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {matrix: [] for matrix in matrices}
    taken_out: dict[nn.Module, tuple[Common, Common]] = {}

    def look(batch: Encoded, before: Sequence[Tensor] = ()) -> dict[nn.Module, tuple[Tensor, Tensor]]:
        sides = both_sides(model, matrices, broken, batch, breaking, before)
        for matrix, pair in sides.items():
            seen[matrix].append(pair)
        return sides

    for start in range(0, len(data.forget), run.recipe.batch_size):
        look(model.encode(data.forget[start : start + run.recipe.batch_size]))
    length, taken = len(seen[matrices[0]]), itertools.count()

    def step(model: LanguageModel, batch: Batch) -> Gradient:
        if next(taken) % length == 0:
            for matrix, pairs in seen.items():
                read, asked = (torch.cat(side) for side in zip(*pairs, strict=True))
                taken_out[matrix] = Common.of(read, common[0]), Common.of(asked, common[1])
                pairs.clear()
        with torch.no_grad():
            before = batch.before.outputs(batch.forget, batch.before.mlp_outputs(broken))
            (kept,) = batch.before.outputs(batch.retain, [batch.before.blocks[broken[-1]]])
        parts = {}
        for matrix, (read, asked) in look(batch.forget, before).items():
            of_inputs, of_outputs = taken_out[matrix]
            parts[matrix.weight] = of_outputs.out_of(asked).T @ of_inputs.out_of(read)
        (now,) = model.outputs(batch.retain, [model.blocks[broken[-1]]])
        places = batch.retain.attention_mask.bool()
        retaining = Gradient.of(drift(now[places], kept[places]), model)
        # GPT-2 stores its matrices transposed.
        turned = [parts[one] if parts[one].shape == one.shape else parts[one].T for one in retaining.weights]
        return Gradient(retaining.weights, tuple(turned)).unit() + retain_weight * retaining

    weights = [weight for matrix in matrices for weight in matrix.parameters() if weight.dim() == 2]
    return run.minimize(step, model, data, weights, "model", optimizer=torch.optim.SGD)
