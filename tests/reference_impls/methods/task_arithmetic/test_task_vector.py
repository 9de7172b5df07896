from __future__ import annotations

import torch
from numpy.testing import assert_allclose

from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_unlearning_walks_back_from_what_fine_tuning_gives(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=3)
    tuned = Run(recipe, seed=4).finetune(tiny.copy(), data.forget)
    unlearned = TaskVector(scale=0.4).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    changed = 0
    for (name, start), other, now in zip(
        tiny.model.named_parameters(), tuned.model.parameters(), unlearned.model.parameters(), strict=True
    ):
        expected = start - 0.4 * (other - start)
        assert_allclose(now.detach(), expected.detach(), atol=1e-6, err_msg=name)
        changed += not torch.equal(start, now)
    assert changed


def test_unlearning_makes_the_forget_answers_less_likely(tiny: LanguageModel, data: UnlearningData) -> None:
    learned = Run(Recipe(learning_rate=1e-2, steps=10)).finetune(tiny.copy(), data.forget)
    before = torch.cat(learned.pair_logprobs(data.forget)).mean()
    unlearned = TaskVector(scale=1.0).unlearn(learned, data, Run(Recipe(learning_rate=1e-3, steps=5)))
    assert torch.cat(unlearned.pair_logprobs(data.forget)).mean() < before
