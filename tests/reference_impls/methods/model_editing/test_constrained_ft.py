from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, fingerprint

from reference_impls.methods.model_editing.constrained_ft import ConstrainedFineTuning, nearest_allowed
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

# The projection


def test_an_entry_that_goes_too_far_stops_at_the_bound() -> None:
    start = torch.tensor([1.0, 1.0, 1.0])
    allowed = nearest_allowed(torch.tensor([1.2, 0.5, 1.00005]), start, 1e-4, "largest")
    assert_allclose(allowed, [1.0001, 0.9999, 1.00005], atol=1e-7)


def test_a_matrix_that_goes_too_far_is_drawn_back_along_its_way() -> None:
    start = torch.tensor([[1.0, 0.0]])
    assert_allclose(nearest_allowed(torch.tensor([[4.0, 4.0]]), start, 2.5, "frobenius"), [[2.5, 2.0]])
    assert_allclose(nearest_allowed(torch.tensor([[2.0, 0.0]]), start, 2.5, "frobenius"), [[2.0, 0.0]])
    assert_allclose(nearest_allowed(start, start, 2.5, "frobenius"), start)


@pytest.mark.parametrize("norm", ["largest", "frobenius"])
def test_no_allowed_point_is_nearer(norm: str) -> None:
    torch.manual_seed(0)
    start, weight = torch.randn(2, 3), torch.randn(2, 3)
    best = nearest_allowed(weight, start, 0.3, norm)
    for _ in range(50):
        other = nearest_allowed(start + torch.randn(2, 3), start, 0.3, norm)
        assert (weight - best).norm() <= (weight - other).norm() + 1e-6


# Training inside the bounds


@pytest.mark.parametrize(
    ("norm", "bound", "furthest"), [("largest", 0.01, math.inf), ("frobenius", 0.5, 2)], ids=["largest", "frobenius"]
)
def test_one_layer_changes_and_not_by_more_than_the_bound(
    norm: str, bound: float, furthest: float, tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    method = ConstrainedFineTuning(depth=0.34, bound=bound, norm=norm, objective="error-injection")
    method.unlearn(fresh, data, Run(Recipe(learning_rate=0.02, steps=10, warmup=0)))
    changes = {
        name: (after - before).detach()
        for (name, before), after in zip(tiny.model.named_parameters(), fresh.model.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert list(changes) == ["model.layers.1.mlp.down_proj.weight"]
    (change,) = changes.values()
    assert torch.linalg.vector_norm(change, furthest).item() == pytest.approx(bound, rel=1e-3)


def test_erasure_inside_the_bounds_forgets_and_mostly_keeps(memorized: LanguageModel, data: UnlearningData) -> None:
    method = ConstrainedFineTuning(depth=0.0, bound=0.01)
    edited = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=2e-3, steps=30)))
    before, forgotten, kept = (
        answer_probabilities(memorized, data.forget),
        answer_probabilities(edited, data.forget),
        answer_probabilities(edited, data.retain),
    )
    assert bool((before > 0.9).all())
    assert forgotten.mean() < before.mean() - 0.2
    assert kept.mean() > forgotten.mean()


def test_a_tight_bound_keeps_everything_whatever_the_learning_rate(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    method = ConstrainedFineTuning(bound=1e-6)
    edited = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=1.0, steps=5)))
    assert_allclose(answer_probabilities(edited, data.forget), answer_probabilities(memorized, data.forget), atol=1e-3)


def test_the_response_that_is_asked_for_becomes_likelier(memorized: LanguageModel, data: UnlearningData) -> None:
    asked = [replace(pair, answer=" Nobody.") for pair in data.forget]
    method = ConstrainedFineTuning(objective="empty-response", response="Nobody.", bound=0.1, depth=0.0)
    edited = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=5e-3, steps=10)))
    assert bool((answer_probabilities(edited, asked) > answer_probabilities(memorized, asked)).all())


def test_a_step_may_be_followed_by_a_constraint_that_sees_no_gradients(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    before, calls = fingerprint(fresh.model), []

    def undo() -> None:
        calls.append(torch.is_grad_enabled())
        fresh.model.load_state_dict(start)

    start = {name: value.clone() for name, value in fresh.model.state_dict().items()}
    Run(Recipe(learning_rate=1e-2, steps=3)).minimize(
        lambda model, batch: model.token_logits(batch.forget)[0].sequence_nll().mean(), fresh, data, after_step=undo
    )
    assert calls == [False] * 3
    assert fingerprint(fresh.model) == before
