from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from unlearning_toys import fingerprint

from reference_impls.toolkit import LanguageModel, subtract_task_vector, task_vector


def _subtract(model: nn.Module, finetuned: nn.Module, scale: float) -> None:
    subtract_task_vector(model, task_vector(model, finetuned), scale)


def _linear(rows: list[list[float]], dtype: torch.dtype = torch.float32) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight = nn.Parameter(torch.tensor(rows, dtype=dtype))
    return layer


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.0, (1.0, 2.0)), (0.5, (0.75, 2.5)), (1.0, (0.5, 3.0)), (-1.0, (1.5, 1.0))]
)
def test_subtraction_gives_the_hand_computed_weights(scale: float, expected: tuple[float, float]) -> None:
    model = _linear([[1.0, 2.0]])
    _subtract(model, _linear([[1.5, 1.0]]), scale)
    assert_allclose(model.weight.detach()[0], expected)


def test_negating_twice_restores() -> None:
    model, start = _linear([[1.0, 2.0]]), _linear([[1.0, 2.0]])
    _subtract(model, _linear([[1.5, 1.0]]), 1.0)
    _subtract(start, model, 1.0)
    assert_allclose(start.weight.detach(), [[1.5, 1.0]])


@pytest.mark.parametrize("extra", ["model", "finetuned"])
def test_weights_that_only_one_model_has_are_an_error_that_names_them(extra: str) -> None:
    plain, biased = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
    pair = (biased, plain) if extra == "model" else (plain, biased)
    with pytest.raises(ValueError, match="bias"):
        _subtract(*pair, 1.0)


def test_16_bit_weights_are_subtracted_in_32_bits_and_rounded_once() -> None:
    model = _linear([[-0.25, 0.322265625, 0.349609375]], torch.bfloat16)
    finetuned = _linear([[-0.0341796875, 0.83984375, 0.6796875]], torch.bfloat16)
    _subtract(model, finetuned, 0.7)
    assert model.weight.dtype == torch.bfloat16
    # Differences taken in 16 bits would give -0.40234375, -0.0390625 and 0.1181640625.
    assert model.weight.detach().float().tolist() == [[-0.400390625, -0.0400390625, 0.11865234375]]


def test_tied_weights_are_moved_once(tiny: LanguageModel, fresh: LanguageModel) -> None:
    finetuned = tiny.copy()
    with torch.no_grad():
        finetuned.model.model.embed_tokens.weight.add_(0.5)
    _subtract(fresh.model, finetuned.model, 1.0)
    change = fresh.model.lm_head.weight - tiny.model.lm_head.weight
    assert_allclose(change.detach(), torch.full_like(change, -0.5).detach(), atol=1e-6)


def test_the_finetuned_model_is_not_changed(tiny: LanguageModel, fresh: LanguageModel) -> None:
    before = fingerprint(tiny.model)
    _subtract(fresh.model, tiny.model, 1.0)
    assert fingerprint(tiny.model) == before


def test_the_sum_of_two_trainings_is_undone_by_both_vectors_in_turn() -> None:
    start, first, second = [[1.0, 2.0]], [[1.5, 1.0]], [[0.0, 2.25]]
    model = _linear([[0.5, 1.25]])  # start + (0.5, -1) + (-1, 0.25)
    for finetuned in (first, second):
        subtract_task_vector(model, list(task_vector(_linear(start), _linear(finetuned))), 1.0)
    assert model.weight.detach().tolist() == start
