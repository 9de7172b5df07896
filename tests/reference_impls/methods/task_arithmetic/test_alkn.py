from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.alkn import ALKN, Localizer, certainty, threshold
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-3, steps=10)


def gradient(*parts: list[float]) -> Gradient:
    tensors = tuple(torch.tensor(part) for part in parts)
    return Gradient(tensors, tensors)


def values(of: Gradient) -> list[list[float]]:
    return [part.tolist() for part in of.parts]


@pytest.mark.parametrize(("probability", "weight"), [(1.0, 0.342967), (0.9, 0.305955), (0.5, 0.157886), (0.1, 0.02775)])
def test_known_tokens_count_more(probability: float, weight: float) -> None:
    assert certainty(torch.tensor([probability]), 1.5).item() == pytest.approx(weight, abs=1e-6)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 50))
def test_the_weight_grows_from_0_and_stays_below_1(one: float, other: float, sharpness: float) -> None:
    low, high, nothing = certainty(torch.tensor([min(one, other), max(one, other), 0.0]), sharpness).tolist()
    assert nothing == 0
    assert 0 <= low <= high + 1e-6 <= 1 + 1e-6


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30, unique=True), st.floats(0.05, 1))
def test_the_share_lies_above_the_threshold(scores: list[int], share: float) -> None:
    bound = threshold(torch.tensor(scores, dtype=torch.float32), share)
    assert sum(score > bound for score in scores) == round(share * len(scores))


def test_the_mask_follows_the_summed_products_with_the_retain_gradient() -> None:
    """Products 1, -4, 6, 2 with half of them to move: 6 and 2; then 1 - 8, -4 + 12, 6 - 3, 2 + 2: 8 and 4."""
    retain = gradient([1.0, 2.0, -3.0, 1.0])
    localizer = Localizer(retain, ALKN(share=0.5, keep="high"), 1000, None)
    assert values(localizer.masked(gradient([1.0, -2.0, -2.0, 2.0]))) == [[0, 0, -2, 2]]
    assert values(localizer.masked(gradient([-8.0, 6.0, 1.0, 2.0]))) == [[0, 6, 0, 2]]
    turned = Localizer(retain, ALKN(share=0.5), 1000, None)
    assert values(turned.masked(gradient([1.0, -2.0, -2.0, 2.0]))) == [[1, -2, 0, 0]]


def test_the_share_falls_in_five_stairs_towards_its_half() -> None:
    localizer = Localizer(gradient([1.0] * 100), ALKN(share=1.0, keep="high"), 10, None)
    moving = [int((localizer.masked(gradient(list(range(100)))).parts[0] != 0).sum()) for _ in range(10)]
    assert moving == [99, 99, 90, 90, 80, 80, 70, 70, 60, 60]  # of the 100, the first has no gradient


def test_what_an_earlier_request_used_is_harder_to_use_and_slower() -> None:
    """Products 4, 2, 0, -2 deviate by 5 ** 0.5; the bounds stay those of the first request, 0 and -1."""
    first = Localizer(gradient([1.0] * 4, [1.0] * 4), ALKN(share=0.5, keep="high"), 10, None)
    first.masked(gradient([3.0, 2.0, 0.0, -2.0], [5.0, 4.0, -1.0, -1.0]))
    assert first.rates() == [1, 1]
    second = Localizer(gradient([1.0] * 4, [1.0] * 4), ALKN(penalty=1.0, keep="high"), 10, first)
    assert second.thresholds == first.thresholds == [0, -1]
    moved = second.masked(gradient([4.0, 2.0, 0.0, -2.0], [4.0, 2.0, 0.0, -2.0]))
    assert_allclose(second.scores[0], [4 - math.sqrt(5), 2 - math.sqrt(5), 0, -2], rtol=1e-6)
    assert values(moved) == [[4, 0, 0, 0], [4, 2, 0, 0]]
    assert sorted(second.rates()) == [0.1, 1]
    third = Localizer(gradient([1.0] * 4, [1.0] * 4), ALKN(), 10, second)
    assert third.used is not None
    assert [mask.tolist() for mask in third.used] == [[1, 1, 0, 0], [1, 1, 1, 0]]


def test_without_mask_and_weights_it_is_the_negated_task_vector(learned: LanguageModel, data: UnlearningData) -> None:
    """A model that is certain of all tokens gives them the same weight, which Adam does not see."""
    with torch.no_grad():
        assert min(float(one.exp().min()) for one in learned.pair_logprobs(data.forget)) > 0.85
    once = Run(replace(RECIPE, steps=1)), Run(replace(RECIPE, steps=1))
    one = ALKN(share=1.0, requests=1, sharpness=200.0).unlearn(learned.copy(), data, once[0])
    other = TaskVector().unlearn(learned.copy(), data, once[1])
    for weight, expected in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert float((weight - expected).detach().abs().mean()) < 0.05 * RECIPE.learning_rate
    still = ALKN(scale=0.0).unlearn(learned.copy(), data, Run(RECIPE))
    assert fingerprint(still.model) == fingerprint(learned.model)


def test_small_products_spare_what_large_ones_cost(learned: LanguageModel, data: UnlearningData) -> None:
    """The sign that first-order arithmetic asks for; the released code has the other one."""
    low, high = (
        ALKN(keep=keep, share=0.5, requests=3).unlearn(learned.copy(), data, Run(RECIPE)) for keep in ("low", "high")
    )
    assert mean_logprob(low, data.forget) < mean_logprob(learned, data.forget) - 0.1
    lost = [mean_logprob(learned, data.retain) - mean_logprob(model, data.retain) for model in (low, high)]
    assert lost[0] < lost[1] / 2
