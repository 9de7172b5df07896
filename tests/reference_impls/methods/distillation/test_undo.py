from __future__ import annotations

import math

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, mean_logprob

from reference_impls.methods.distillation.undo import UNDO, add_noise
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_noise_is_the_hand_computed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.tensor([[0.5, -0.5]])
    monkeypatch.setattr(torch.nn.init, "xavier_uniform_", lambda tensor: tensor.copy_(drawn))
    matrix, vector = torch.tensor([[1.0, 2.0]]), torch.tensor([1.0, 2.0])
    add_noise([matrix, vector], 0.5, 0.1)
    assert_allclose(matrix, [[0.525, 0.975]], rtol=1e-6)
    assert_allclose(vector, [0.5, 1.0])


def test_noise_alone_is_as_large_as_its_matrix_says() -> None:
    matrix, vector = torch.ones(128, 128), torch.ones(128)
    add_noise([matrix, vector], 1.0, 1.0)
    bound = math.sqrt(6 / 256)
    assert bound == pytest.approx(0.1531, abs=1e-4)
    assert matrix.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert matrix.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not vector.any()


def test_without_noise_the_teacher_is_given_back_and_with_it_the_damage_is_repaired(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=15, batch_size=3)
    teacher, student = (UNDO(noise=one).unlearn(memorized.copy(), data, Run(recipe)) for one in (0.0, 0.1))
    damaged = teacher.copy()
    torch.manual_seed(0)
    add_noise(list(damaged.model.parameters()), 0.1, 0.1)
    for model in (teacher, student):
        assert mean_logprob(model, data.forget) < mean_logprob(memorized, data.forget) - 0.5
        assert mean_logprob(model, data.retain) > mean_logprob(memorized, data.retain) - 0.3
    kept = [float(answer_probabilities(one, data.retain).mean()) for one in (damaged, student, teacher)]
    assert kept[0] < kept[1] - 0.05
