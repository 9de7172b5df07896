from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.hamu import HAMU, free_of_harm, least_harm, single
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData, mean_nll

PLANE = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=2, max_size=2)


def _vector(values: list[float]) -> Gradient:
    part = torch.tensor(values, dtype=torch.float64)
    return Gradient((part,), (part,))


def _step(retaining: list[float], forgetting: list[float], rise: float) -> np.ndarray:
    (part,) = least_harm(_vector(retaining), _vector(forgetting), rise).parts
    return part.numpy()


@pytest.mark.parametrize(
    ("forgetting", "rise", "step"),
    [
        ([2, 0], 6, [-3, 4]),  # sqrt(25 - 9) is left for (0, 1)
        ([-2, 0], 6, [3, 4]),  # a step of keeping is enough
        ([2, 0], 10, [-5, 0]),  # just in reach
        ([2, 0], 20, [-10, 0]),  # out of reach
        ([2, 0], 0, [0, 5]),  # no duty but not to undo what was forgotten
        ([0, 0], 1, [0, 0]),
    ],
)
def test_the_step_is_the_hand_computed_one(forgetting: list[float], rise: float, step: list[float]) -> None:
    assert_allclose(_step([3, 4], forgetting, rise), step, atol=1e-12)


@settings(max_examples=50)
@given(PLANE, PLANE, st.floats(0.05, 5))
def test_no_step_on_a_grid_does_the_duty_at_less_cost(
    retaining: list[float], forgetting: list[float], rise: float
) -> None:
    kept, lost = np.array(retaining), np.array(forgetting)
    radius = np.linalg.norm(kept)
    assume(rise < 0.98 * radius * np.linalg.norm(lost))
    moved = -_step(retaining, forgetting, rise)
    assert moved @ lost >= rise - 1e-9
    assert np.linalg.norm(moved) <= radius + 1e-9
    angles = np.linspace(0, 2 * np.pi, 721)
    grid = np.concatenate([share * radius * np.array([np.cos(angles), np.sin(angles)]).T for share in (0.5, 1.0)])
    allowed = grid[grid @ lost >= rise]
    assert (allowed @ kept >= moved @ kept - 1e-9).all()


@settings(max_examples=50)
@given(PLANE, PLANE, st.floats(0.05, 5))
def test_harm_begins_where_the_area_between_the_gradients_is_less_than_the_duty(
    retaining: list[float], forgetting: list[float], rise: float
) -> None:
    pair = _vector(retaining), _vector(forgetting)
    assume(pair[0].dot(pair[1]) > 0.01)
    assume(rise < 0.99 * pair[0].norm() * pair[1].norm())
    area = free_of_harm([pair])
    assert area == pytest.approx(abs(retaining[0] * forgetting[1] - retaining[1] * forgetting[0]), abs=1e-6)
    assume(abs(area - rise) > 1e-3)
    assert (least_harm(*pair, rise).dot(pair[0]) < 0) == (rise > area)


@given(
    st.floats(0.1, 5), st.floats(0.1, 5).map(lambda x: round(x, 2)), st.sampled_from([(3.0, 4.0), (0.0, -1.75), (1.0,)])
)
def test_gradients_along_one_line_leave_nothing_but_the_duty(
    along: float, rise: float, line: tuple[float, ...]
) -> None:
    retaining, forgetting = _vector([along * part for part in line]), _vector(list(line))
    assume(rise < 0.99 * retaining.norm() * forgetting.norm())
    assert -least_harm(retaining, forgetting, rise).dot(forgetting) == pytest.approx(rise, rel=1e-5)


def test_tensors_are_parts_of_the_whole() -> None:
    parts = (torch.tensor([1.0, 2.0]), torch.tensor([3.0]))
    assert [one.parts for one in single(Gradient(parts, parts))] == [(parts[0],), (parts[1],)]


@pytest.mark.parametrize("by_tensor", [True, False])
def test_the_forget_loss_rises_by_what_was_asked_for(
    by_tensor: bool, memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=0.001, steps=1, batch_size=len(data.forget), warmup=0.0, max_grad_norm=1e9)
    before, after = memorized.copy(), memorized.copy()
    HAMU(rise=0.001, by_tensor=by_tensor).unlearn(after, data, Run(recipe))
    weights = zip(after.model.parameters(), before.model.parameters(), strict=True)
    moved = [(new - old).detach() for new, old in weights]
    forgetting = Gradient.of(mean_nll(*before.token_logits(before.encode(data.forget))), before)
    risen = sum(float((part * way).sum()) for part, way in zip(forgetting.parts, moved, strict=True))
    assert risen == pytest.approx(0.001 * 0.001, rel=0.05)


def test_it_forgets_more_than_it_loses(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0.1, steps=8, batch_size=3)
    unlearned = HAMU(rise=1.0).unlearn(memorized.copy(), data, Run(recipe))
    forgotten, lost = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 0.2
    assert forgotten > 3 * lost


def test_with_keeping_as_the_duty_the_retain_loss_falls(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=0.1, steps=2, batch_size=3)
    unlearned = HAMU(rise=0.1, duty="keeping").unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain)


def test_it_stops_where_harm_cannot_be_avoided(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=0.1, steps=2, batch_size=3))
    unlearned = HAMU(rise=1000.0, stops=True).unlearn(memorized.copy(), data, run)
    assert run.stopped is not None
    assert run.notes
    assert mean_logprob(unlearned, data.forget) == mean_logprob(memorized, data.forget)
