from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.metrics.models import depth_score, kl_divergence, parameter_distance, relative_distance


def _module(*values: float) -> torch.nn.Module:
    module = torch.nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([values]))
    return module


def test_kl_by_hand_and_in_the_right_direction() -> None:
    retrained, unlearned = torch.tensor([[1.0, 0, 0]]), torch.tensor([[2.0, 0, 0]])
    assert kl_divergence(retrained, unlearned) == pytest.approx(0.111983, abs=1e-6)
    assert kl_divergence(unlearned, retrained) == pytest.approx(0.098886, abs=1e-6)
    both = kl_divergence(torch.cat([retrained, torch.zeros(1, 3)]), torch.cat([unlearned, torch.tensor([[0.0, 1, 0]])]))
    assert both == pytest.approx(0.115741, abs=1e-6)


@given(st.lists(st.floats(-20, 20), min_size=4, max_size=4), st.floats(-5, 5))
def test_kl_is_0_for_the_same_distribution_and_never_less(logits: list[float], shift: float) -> None:
    one = torch.tensor([logits])
    assert kl_divergence(one, one + shift) == pytest.approx(0.0, abs=1e-5)
    assert kl_divergence(one, torch.zeros(1, 4)) >= 0.0


def test_tokens_that_the_reference_does_not_know_take_probability_and_no_more() -> None:
    """By hand: log(4 / 3), where a fourth token is as likely as the three."""
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 4)) == pytest.approx(0.287682, abs=1e-6)


def test_distances_by_hand() -> None:
    target, unlearned, retrained = _module(1, 2, 2), _module(1, 2, 0), _module(1, 0, 0)
    assert parameter_distance(unlearned, retrained) == pytest.approx(2.0)
    assert relative_distance(unlearned, target, retrained) == pytest.approx(0.707107, abs=1e-6)
    assert relative_distance(retrained, target, retrained) == 0.0
    assert relative_distance(target, target, retrained) == 1.0


def test_models_that_cannot_be_compared_are_said_to_be_so() -> None:
    with pytest.raises(ValueError, match="the same"):
        relative_distance(_module(1), _module(2), _module(2))
    with pytest.raises(ValueError, match="different parameters"):
        parameter_distance(_module(1), torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="different parameters"):
        parameter_distance(_module(1), _module(1, 1))


@pytest.mark.parametrize(
    ("lacking", "erased", "score"),
    [
        ([[0.5, 1.5]], [[0.5, 1.5]], 1.0),
        ([[0.5, 1.5]], [[0.0, 0.0]], 0.0),
        ([[0.5, 1.5]], [[0.5, 0.0]], 0.25),
        ([[0.5, 1.5]], [[9.0, -1.0]], 0.25),  # too much of it, and less than nothing
        ([[0.04, 1.0]], [[9.0, 0.5]], 0.5),  # the first layer holds nothing
        ([[1.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 1.0]], 0.75),  # a mean over questions
        ([[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [7.0, 7.0]], 0.5),  # the second says nothing
    ],
)
def test_the_depth_is_the_hand_computed_share(
    lacking: list[list[float]], erased: list[list[float]], score: float
) -> None:
    assert depth_score(lacking, erased, 0.05) == pytest.approx(score)


def test_a_depth_needs_a_layer_that_holds_something() -> None:
    with pytest.raises(ValueError, match="no layer"):
        depth_score([[0.0, 0.01]], [[1.0, 1.0]], 0.05)
