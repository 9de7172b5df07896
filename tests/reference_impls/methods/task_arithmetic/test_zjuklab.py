from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.task_arithmetic import zjuklab
from reference_impls.methods.task_arithmetic.zjuklab import TOO_LITTLE, TOO_MUCH, ZJUKLAB
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, elected_mean

RECIPE = Recipe(learning_rate=3e-3, steps=12, batch_size=3)


def test_signs_are_elected_as_by_hand() -> None:
    """The small example of TIES after trimming: (2, -1, .5, 0) and (1, 2, -.4, 0)."""
    merged = elected_mean(torch.tensor([[2.0, -1.0, 0.5, 0.0], [1.0, 2.0, -0.4, 0.0]]))
    assert_allclose(merged, (1.5, 2.0, 0.5, 0.0))


def test_two_trainings_alike_merge_into_each_of_them(
    tiny: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zjuklab, "TOO_LITTLE", TOO_MUCH)
    monkeypatch.setattr(Run, "apart", lambda self, seed: Run(self.recipe, seed=5))
    method = ZJUKLAB(density=1.0)
    merged = method.unlearn(tiny.copy(), data, Run(RECIPE))
    alone = method._trained(tiny, data, Run(RECIPE, seed=5), TOO_MUCH)
    for one, other in zip(merged.model.parameters(), alone.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_the_merged_model_is_between_the_two(memorized: LanguageModel, data: UnlearningData) -> None:
    method = ZJUKLAB(density=1.0)
    much, little = (
        method._trained(memorized, data, Run(RECIPE, seed=turn), weights)
        for turn, weights in enumerate((TOO_MUCH, TOO_LITTLE))
    )
    merged = method.unlearn(memorized.copy(), data, Run(RECIPE))
    told = [mean_logprob(model, data.forget) for model in (memorized, little, merged, much)]
    assert told[0] > max(told[1:])
    assert min(told[1], told[3]) - 0.3 < told[2] < max(told[1], told[3]) + 0.3
    lost = [mean_logprob(memorized, pairs) - mean_logprob(merged, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > 3 * lost[1]
