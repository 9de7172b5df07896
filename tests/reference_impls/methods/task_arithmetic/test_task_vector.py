from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from unlearning_toys import fingerprint

from reference_impls.methods.task_arithmetic.task_vector import TaskVector, subtract_task_vector
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def _linear(rows: list[list[float]], dtype: torch.dtype = torch.float32) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight = nn.Parameter(torch.tensor(rows, dtype=dtype))
    return layer


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.0, (1.0, 2.0)), (0.5, (0.75, 2.5)), (1.0, (0.5, 3.0)), (-1.0, (1.5, 1.0))]
)
def test_subtraction_gives_the_hand_computed_weights(scale: float, expected: tuple[float, float]) -> None:
    model = _linear([[1.0, 2.0]])
    subtract_task_vector(model, _linear([[1.5, 1.0]]), scale)
    assert_allclose(model.weight.detach()[0], expected)


def test_negating_twice_restores() -> None:
    model, start = _linear([[1.0, 2.0]]), _linear([[1.0, 2.0]])
    subtract_task_vector(model, _linear([[1.5, 1.0]]), 1.0)
    subtract_task_vector(start, model, 1.0)
    assert_allclose(start.weight.detach(), [[1.5, 1.0]])


@pytest.mark.parametrize("extra", ["model", "finetuned"])
def test_weights_that_only_one_model_has_are_an_error_that_names_them(extra: str) -> None:
    plain, biased = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
    pair = (biased, plain) if extra == "model" else (plain, biased)
    with pytest.raises(ValueError, match="bias"):
        subtract_task_vector(*pair, 1.0)


def test_16_bit_weights_are_subtracted_in_32_bits_and_rounded_once() -> None:
    model = _linear([[-0.25, 0.322265625, 0.349609375]], torch.bfloat16)
    finetuned = _linear([[-0.0341796875, 0.83984375, 0.6796875]], torch.bfloat16)
    subtract_task_vector(model, finetuned, 0.7)
    assert model.weight.dtype == torch.bfloat16
    # Differences taken in 16 bits would give -0.40234375, -0.0390625 and 0.1181640625.
    assert model.weight.detach().float().tolist() == [[-0.400390625, -0.0400390625, 0.11865234375]]


def test_tied_weights_are_moved_once(tiny: LanguageModel, fresh: LanguageModel) -> None:
    finetuned = tiny.copy()
    with torch.no_grad():
        finetuned.model.model.embed_tokens.weight.add_(0.5)
    subtract_task_vector(fresh.model, finetuned.model, 1.0)
    change = fresh.model.lm_head.weight - tiny.model.lm_head.weight
    assert_allclose(change.detach(), torch.full_like(change, -0.5).detach(), atol=1e-6)


def test_the_finetuned_model_is_not_changed(tiny: LanguageModel, fresh: LanguageModel) -> None:
    before = fingerprint(tiny.model)
    subtract_task_vector(fresh.model, tiny.model, 1.0)
    assert fingerprint(tiny.model) == before


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
