from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.task_arithmetic.ext_sub import ExtSub, deficiency
from reference_impls.methods.task_arithmetic.lora_negation import LoRANegation
from reference_impls.toolkit import LanguageModel, Method, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-2, steps=2)
ROW = st.lists(st.floats(-3, 3).map(lambda value: round(value, 3)), min_size=3, max_size=3)


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        # c is at half the angle of 45 degrees: (cos, sin) of 22.5 degrees, and e is (1.207107, 0.5).
        ([1.0, 0.0], [1.0, 1.0], [-0.207107, 0.5]),
        ([1.0, 1.0], [1.0, 1.0], [0.0, 0.0]),
        ([5.0, 0.0], [0.0, 2.0], [-1.0, 1.0]),  # at a right angle: e = (1, 1)
        ([1.0, 0.0], [-2.0, 0.0], [-2.0, 0.0]),  # nothing in common
        ([0.0, 0.0], [1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_by_hand(good: list[float], bad: list[float], expected: list[float]) -> None:
    assert_allclose(deficiency(torch.tensor([good]), torch.tensor([bad])), [expected], atol=1e-6)


@given(ROW, ROW, st.floats(0.1, 10))
def test_from_angles_alone(good: list[float], bad: list[float], longer: float) -> None:
    """In the plane of both rows, the deficiency is what is at a right angle to the bisector."""
    one, other = np.array(good), np.array(bad)
    if min(np.linalg.norm(one), np.linalg.norm(other)) < 0.1:
        return
    cosine = float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
    if cosine < -0.99:
        return
    found = deficiency(torch.tensor([good]), torch.tensor([bad]))
    half = math.acos(min(1.0, max(-1.0, cosine))) / 2
    assert float(found.norm()) == pytest.approx(np.linalg.norm(other) * math.sin(half), abs=2e-3)
    rescaled = deficiency(longer * torch.tensor([good]), torch.tensor([bad]))
    assert_allclose(found, rescaled, atol=1e-3)
    if cosine >= 0:
        assert float(found.norm()) <= np.linalg.norm(other) / math.sqrt(2) + 1e-3


def test_without_a_scale_it_is_fine_tuning_on_the_retain_set(tiny: LanguageModel, data: UnlearningData) -> None:
    unlearned = ExtSub(scale=0.0).unlearn(tiny.copy(), data, Run(RECIPE, seed=5))
    expert = Run(RECIPE, seed=5)
    expert.finetune_lora(tiny.copy(), data.forget, 8, 16.0)  # draws what the anti-expert draws
    tuned = expert.finetune_lora(tiny.copy(), data.retain, 8, 16.0)
    for one, other in zip(unlearned.model.parameters(), tuned.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-5)


def test_every_adapted_weight_is_what_the_equation_says(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(RECIPE, seed=1)
    bad_model = run.finetune_lora(tiny.copy(), data.forget, 8, 16.0)
    good_model = run.finetune_lora(tiny.copy(), data.retain, 8, 16.0)
    unlearned = ExtSub(scale=1.5).unlearn(tiny.copy(), data, Run(RECIPE, seed=1))
    start = dict(tiny.model.named_parameters())
    for name, now in unlearned.model.named_parameters():
        good, bad = (
            (dict(model.model.named_parameters())[name] - start[name]).detach() for model in (good_model, bad_model)
        )
        expected = start[name].detach()
        if now.ndim == 2 and bool(good.any()):
            expected = expected + good - 1.5 * deficiency(good, bad)
        assert_allclose(now.detach(), expected, atol=1e-4)


def test_for_as_much_forgetting_more_is_kept_than_by_plain_negation(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=12, batch_size=2)

    def lost(method: Method) -> np.ndarray:
        """By how much forget and retain answers have become less likely, per token."""
        unlearned = method.unlearn(learned.copy(), data, Run(recipe))
        return np.array(
            [mean_logprob(learned, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]
        )

    forgotten, paid = lost(ExtSub(scale=4.0))
    plain = np.array([(0.0, 0.0), *(lost(LoRANegation(scale=scale)) for scale in (1.0, 2.0, 4.0))])
    assert 2 < forgotten < plain[-1, 0]
    assert paid < 0.9 * np.interp(forgotten, plain[:, 0], plain[:, 1])
