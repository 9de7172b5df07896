from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from peft import PeftModel
from torch import nn
from unlearning_toys import fingerprint

from reference_impls.methods.task_arithmetic.lora_negation import LoRANegation, negate
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData

START = [[3.0, 0.0], [0.0, 7.0]]
CHANGE = [[0.5, 1.0], [-1.0, -2.0]]


def _adapted() -> PeftModel:
    """A linear layer with the LoRA module A = (1, 2), B = (0.5, -1), alpha/r = 1."""
    from peft import LoraConfig, get_peft_model

    layer = nn.Linear(2, 2, bias=False)
    layer.weight = nn.Parameter(torch.tensor(START))
    adapted = get_peft_model(nn.Sequential(layer), LoraConfig(r=1, lora_alpha=1, target_modules=["0"]))
    for name, weight in adapted.named_parameters():
        if "lora_A" in name:
            weight.data = torch.tensor([[1.0, 2.0]])
        if "lora_B" in name:
            weight.data = torch.tensor([[0.5], [-1.0]])
    return adapted


def _change(adapted: PeftModel) -> torch.Tensor:
    merged: torch.Tensor = adapted.merge_and_unload()[0].weight.detach()
    return merged - torch.tensor(START)


def test_a_module_of_low_rank_adds_its_product() -> None:
    assert_allclose(_change(_adapted()), CHANGE)


@pytest.mark.parametrize("scale", [0.0, 0.4, 1.0, 3.0])
def test_negated_it_takes_its_product_away(scale: float) -> None:
    adapted = _adapted()
    negate(adapted, scale)
    assert_allclose(_change(adapted), -scale * torch.tensor(CHANGE), atol=1e-6)


def test_negating_twice_restores() -> None:
    adapted = _adapted()
    negate(adapted, 1.0)
    negate(adapted, 1.0)
    assert_allclose(_change(adapted), CHANGE)


def test_negating_both_factors_would_learn_instead_of_unlearn() -> None:
    adapted = _adapted()
    negate(adapted, 1.0)
    for name, weight in adapted.named_parameters():
        if "lora_A" in name:
            weight.data = -weight.data
    assert_allclose(_change(adapted), CHANGE)


def test_unlearning_mirrors_what_fine_tuning_through_the_module_gives(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=3)
    tuned = Run(recipe, seed=4).finetune_lora(tiny.copy(), data.forget, 2, 4.0)
    unlearned = LoRANegation(scale=0.4, rank=2, alpha=4.0).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    changed = set()
    for (name, start), other, now in zip(
        tiny.model.named_parameters(), tuned.model.parameters(), unlearned.model.parameters(), strict=True
    ):
        assert_allclose(now.detach(), (start - 0.4 * (other - start)).detach(), atol=1e-6, err_msg=name)
        if not torch.equal(start, now):
            changed.add(name.split(".")[-2])
    assert changed == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_a_scale_of_zero_changes_nothing(tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData) -> None:
    LoRANegation(scale=0.0).unlearn(fresh, data, Run(Recipe(learning_rate=1e-2, steps=2)))
    assert fingerprint(fresh.model) == fingerprint(tiny.model)


def test_the_forget_answers_become_less_likely_the_larger_the_scale(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=20)
    means = []
    for scale in (0.0, 1.0, 4.0):
        unlearned = LoRANegation(scale=scale).unlearn(learned.copy(), data, Run(recipe))
        means.append(float(torch.cat(unlearned.pair_logprobs(data.forget)).mean()))
    assert means[0] > means[1] > means[2]
