from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.rkld import RKLD
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, generic_logits, mean_kl

ROWS = st.lists(st.floats(-6, 6), min_size=4, max_size=4)


def _logits(probabilities: tuple[float, ...]) -> list[float]:
    return [float(x) for x in np.log(probabilities)]


def test_the_teacher_on_the_toy_is_the_hand_computed_one() -> None:
    teacher = generic_logits(torch.tensor([3.0, 1.0, 0.0]), torch.tensor([5.0, 1.0, -1.0]), 1.0)
    assert teacher.tolist() == [1.0, 1.0, 0.0]
    assert_allclose(torch.softmax(teacher, 0), (0.4223, 0.4223, 0.1554), atol=5e-5)


def test_the_student_comes_first_in_the_divergence() -> None:
    student, teacher = token_logits([_logits((0.9, 0.1))], [0]), token_logits([_logits((0.5, 0.5))], [0])
    assert mean_kl(student, teacher).item() == pytest.approx(0.368064, abs=1e-6)
    assert mean_kl(teacher, student).item() == pytest.approx(0.510826, abs=1e-6)


@given(ROWS, ROWS)
def test_the_gradient_is_that_of_the_page(student: list[float], teacher: list[float]) -> None:
    out = token_logits([student], [0])
    value = mean_kl(out, token_logits([teacher], [0]))
    value.backward()
    p, q = softmax(student), softmax(teacher)
    divergence = float((p * np.log(p / q)).sum())
    assert value.item() == pytest.approx(divergence, abs=1e-4)
    assert_allclose(gradient_of(out.logits)[0], p * (np.log(p / q) - divergence), atol=1e-4)


def test_without_strength_there_is_nothing_to_learn(learned: LanguageModel, data: UnlearningData) -> None:
    start = learned.copy()
    RKLD(strength=0.0).unlearn(start, data, Run(Recipe(learning_rate=1e-5, steps=2, batch_size=3)))
    assert mean_logprob(start, data.forget) == pytest.approx(mean_logprob(learned, data.forget), abs=1e-3)


def test_the_forget_answers_fall_without_a_retain_set(learned: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=15, batch_size=3))
    unlearned = RKLD().unlearn(learned.copy(), UnlearningData(data.forget), run)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 1
