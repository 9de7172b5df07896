from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.mox import MOX
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, mean_kl, mean_nll

RECIPE = Recipe(learning_rate=1e-3, steps=8, batch_size=3)


def test_the_model_is_extrapolated_from_the_one_that_memorized(memorized: LanguageModel, data: UnlearningData) -> None:
    """1 + a times the reference less a times the other, which a = -1 would give itself."""
    found = [
        MOX(extrapolation=scale).unlearn(memorized.copy(), data, Run(RECIPE)).model.parameters()
        for scale in (0.0, 1.0, 2.0)
    ]
    for start, none, once, twice in zip(memorized.model.parameters(), *found, strict=True):
        assert torch.equal(start, none)
        other = 2 * start - once  # the one that memorized
        assert_allclose(twice.detach(), (3 * start - 2 * other).detach(), atol=1e-5)


def test_memorizing_goes_down_on_the_forget_set_and_is_held_elsewhere(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    drifts = []
    for weight in (0.0, 10.0):
        forgets = MOX(extrapolation=1.0, retain_weight=weight).unlearn(memorized.copy(), data, Run(RECIPE))
        mirror = memorized.copy()
        with torch.no_grad():
            for own, gone in zip(mirror.model.parameters(), forgets.model.parameters(), strict=True):
                own.mul_(2).sub_(gone)
        assert mean_logprob(mirror, data.forget) > mean_logprob(memorized, data.forget)
        assert mean_logprob(forgets, data.forget) < mean_logprob(memorized, data.forget) - 0.1
        batch = mirror.encode(data.retain)
        with torch.no_grad():
            drifts.append(float(mean_kl(*memorized.token_logits(batch), *mirror.token_logits(batch))))
    assert drifts[1] < 0.7 * drifts[0]


def test_the_first_step_is_the_mirror_image_of_ascent(memorized: LanguageModel, data: UnlearningData) -> None:
    """The divergence has no gradient at the start, so that plain descent of one step only sees the forget set."""
    batch = Batch(memorized.encode(data.forget), memorized.encode(data.retain), None)
    model = memorized.copy()
    (forget,) = model.token_logits(batch.forget)
    mean_nll(forget).backward()
    recipe = Recipe(learning_rate=1e-6, steps=1, batch_size=3, max_grad_norm=1e9)
    after = MOX(extrapolation=1.0, retain_weight=5.0).unlearn(memorized.copy(), data, Run(recipe))
    for start, now, one in zip(
        memorized.model.parameters(), after.model.parameters(), model.model.parameters(), strict=True
    ):
        assert one.grad is not None
        sure = one.grad.abs() > 1e-2 * one.grad.abs().max()  # Adam's first step is the sign of the gradient
        assert bool(((now - start).sign()[sure] == one.grad.sign()[sure]).float().mean() > 0.95)


def test_the_model_itself_is_what_is_returned(memorized: LanguageModel, data: UnlearningData) -> None:
    model = memorized.copy()
    assert MOX().unlearn(model, data, Run(Recipe(steps=1))) is model
    assert fingerprint(model.model) != fingerprint(memorized.model)
    with pytest.raises(ValueError, match="must be"):
        MOX(extrapolation=-1.0)
