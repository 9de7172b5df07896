from __future__ import annotations

import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.gradient_ascent.grad_diff import GradDiff
from reference_impls.methods.inference_time.delta_unlearning import DeltaUnlearning
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_before_the_first_step_the_three_are_the_model(learned: LanguageModel, data: UnlearningData) -> None:
    started = DeltaUnlearning().unlearn(learned.copy(), data, Run(Recipe(steps=0)))
    asked = [pair.prompt for pair in data.forget], [pair.answer for pair in data.forget]
    for one, other in zip(started.answer_logprobs(*asked), learned.answer_logprobs(*asked), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_a_pair_as_large_as_the_model_is_gradient_difference(learned: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-4, steps=3, batch_size=3)
    three = DeltaUnlearning(share=1.0).unlearn(learned.copy(), data, Run(recipe))
    alone = GradDiff().unlearn(learned.copy(), data, Run(recipe))
    for (name, one), other in zip(three.plus.model.named_parameters(), alone.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=2e-5, err_msg=name)


def test_small_models_make_a_large_one_forget_that_is_not_touched(learned: LanguageModel, data: UnlearningData) -> None:
    model = learned.copy()
    forget, retain = mean_logprob(learned, data.forget), mean_logprob(learned, data.retain)
    unlearned = DeltaUnlearning().unlearn(model, data, Run(Recipe(learning_rate=5e-4, steps=20, batch_size=3)))
    assert fingerprint(model.model) == fingerprint(learned.model)
    assert all(weight.grad is None for weight in [*model.model.parameters(), *unlearned.minus.model.parameters()])
    assert all(weight.requires_grad for weight in model.model.parameters())
    lost, cost = forget - mean_logprob(unlearned, data.forget), retain - mean_logprob(unlearned, data.retain)
    assert lost > 0.5
    assert cost < lost / 2
    small, start = (sum(torch.numel(one) for one in which.model.parameters()) for which in (unlearned.plus, model))
    assert small < start
