from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.gradient_ascent.bounded_lora import Bounded, BoundedLoRA, matrix
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-2, steps=12, batch_size=3)


def adapted(settings: BoundedLoRA, weight: torch.Tensor, up: list[list[float]], down: list[list[float]]) -> Bounded:
    adapter = Bounded(weight, settings)
    with torch.no_grad():
        adapter.up.copy_(torch.tensor(up))
        adapter.down.copy_(torch.tensor(down))
    return adapter


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("sine", [[0.479426, -0.841471], [0.909297, 0.756802]]),  # the sign of the last entry turns
        ("tanh", [[0.462117, -0.761594], [0.964028, -0.999329]]),
        ("none", [[0.5, -1.0], [2.0, -4.0]]),
    ],
)
def test_the_update_is_the_hand_computed_one(bound: str, expected: list[list[float]]) -> None:
    weight = torch.tensor([[0.0, 2.0], [0.0, 2.0]])  # its deviation is 1.1547
    adapter = adapted(BoundedLoRA(bound=bound, frequency=1.0, rank=1), weight, [[0.5], [2.0]], [[1.0, -2.0]])
    assert_allclose((adapter(weight) - weight).detach(), 1.1547005 * np.array(expected), atol=1e-5)


@given(st.sampled_from(["sine", "tanh"]), st.floats(0.1, 50), st.floats(0.01, 3), st.integers(0, 99))
def test_no_weight_goes_further_than_its_reach(bound: str, frequency: float, reach: float, seed: int) -> None:
    torch.manual_seed(seed)
    weight = torch.randn(5, 7)
    adapter = Bounded(weight, BoundedLoRA(bound=bound, frequency=frequency, reach=reach, rank=2))
    assert_allclose(adapter(weight).detach(), weight)  # B is 0 at first
    with torch.no_grad():
        adapter.up.normal_(std=9)
    moved = (adapter(weight) - weight).detach().abs().max()
    assert float(moved) <= reach * float(weight.std()) * (1 + 1e-4) + 1e-6


def test_its_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, 4, dtype=torch.float64)
    adapter = Bounded(weight, BoundedLoRA(frequency=2.0, rank=2))
    with torch.no_grad():
        adapter.up.normal_()

    def update(up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        moved: torch.Tensor = torch.func.functional_call(adapter, {"up": up, "down": down}, (weight,))
        return moved

    assert torch.autograd.gradcheck(update, (adapter.up, adapter.down))


def test_only_the_mlps_move_and_what_comes_out_has_plain_weights(learned: LanguageModel, data: UnlearningData) -> None:
    after = BoundedLoRA().unlearn(learned.copy(), data, Run(replace(RECIPE, steps=2)))
    before = dict(learned.model.named_parameters())
    moved = {name for name, weight in after.model.named_parameters() if not torch.equal(weight, before[name])}
    assert moved
    assert all(".mlp." in name for name in moved)
    assert before.keys() == dict(after.model.named_parameters()).keys()
    one, other = (matrix(model.mlp_matrices([0])[0]).detach() for model in (after, learned))
    assert int(torch.linalg.matrix_rank(one - other)) > 8  # more than the adapters have


def test_ascent_goes_only_so_far_where_the_weights_are_bounded(memorized: LanguageModel, data: UnlearningData) -> None:
    """The paper's claim: what grows without end under plain adapters stays within bounds, and so does the damage."""
    alone = BoundedLoRA(bound="none", reach=0.3, retain_weight=0.0)
    free, held = (
        replace(alone, bound=bound).unlearn(memorized.copy(), data, Run(RECIPE)) for bound in ("none", "tanh")
    )
    assert mean_logprob(held, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(free, data.forget) < mean_logprob(held, data.forget) - 1
    assert mean_logprob(free, data.retain) < mean_logprob(held, data.retain)
    sizes = [
        max(float((one - other).detach().abs().max()) for one, other in zip(*both, strict=True))
        for both in ([list(which.model.parameters()), list(memorized.model.parameters())] for which in (free, held))
    ]
    assert sizes[1] < sizes[0]
