from __future__ import annotations

from unlearning_toys import mean_logprob

from reference_impls.methods.optimization.dualoptim import DualOptim
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_answers_to_forget_become_unlikely_and_those_to_keep_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=24, batch_size=3)
    unlearned = DualOptim(retain_steps=2).unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
