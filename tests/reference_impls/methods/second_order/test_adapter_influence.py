from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.second_order.adapter_influence import AdapterInfluence
from reference_impls.toolkit import (
    Gradient,
    LanguageModel,
    LoRA,
    Recipe,
    Run,
    UnlearningData,
    conjugate_gradients,
    with_adapter,
)


def test_the_equation_on_four_numbers_is_what_was_worked_out_by_hand() -> None:
    fitted = torch.tensor([2.0])  # the mean of 0, 1, 2 and 5
    without_five = Gradient((fitted,), ((fitted - 5) / 4,))
    conjugate_gradients(lambda vector: vector, without_five, 3).step(-1.0)
    assert float(fitted) == pytest.approx(1.25)


def _adapted(model: LanguageModel) -> LanguageModel:
    adapted = model.copy()
    for name, weight in with_adapter(adapted.model, 2, 4.0):
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02, generator=torch.Generator().manual_seed(0))
    return adapted


def test_a_removal_forgets_a_correction_refuses_and_only_the_adapter_moves(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    model = _adapted(memorized)
    method = AdapterInfluence(damping=1.0, iterations=2)
    removal = method.change(model, data, data.retain)
    assert all(weight.requires_grad for weight in removal.weights)
    before = mean_logprob(model, data.forget)
    with removal.ahead(3.0):
        assert mean_logprob(model, data.forget) < 1.3 * before
    correction = replace(method, request="correction").change(model, data, data.retain)
    refusal = [replace(pair, answer=" I do not know.") for pair in data.forget]
    unlikely = mean_logprob(model, refusal)
    with correction.ahead(1.0):
        assert mean_logprob(model, refusal) > unlikely


def test_without_a_step_it_is_the_training_alone(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=2, batch_size=4)

    def run() -> Run:
        return Run(recipe, earlier=tiny.copy)

    still = AdapterInfluence(step=0.0, sample=2, iterations=1).unlearn(tiny.copy(), data, run())
    trained = run()
    base = tiny.copy()
    adapted = trained.adapt(base, LoRA(8, 32.0))
    trained.finetune(base, [*data.forget, *data.retain])
    adapted.merge()
    assert fingerprint(still.model) == fingerprint(base.model)
    moved = AdapterInfluence(sample=2, iterations=1).unlearn(tiny.copy(), data, run())
    assert fingerprint(moved.model) != fingerprint(base.model)
