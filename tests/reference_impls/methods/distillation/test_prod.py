from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.prod import PROD, prod_loss, redistributed
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import Batch, LanguageModel, Method, Recipe, Run, UnlearningData

ROW = [4.0, 2.0, 1.0, 0.0, -1.0]
ROWS = st.lists(st.floats(-6, 6), min_size=5, max_size=5)


def _target(
    row: list[float], true: int, top_p: float, temperature: float = 1.0, suppression: float = 0.0
) -> np.ndarray:
    found = redistributed(torch.tensor([row]), torch.tensor([true]), top_p, temperature, suppression)
    return np.asarray(found[0].double())


@pytest.mark.parametrize(
    ("top_p", "temperature", "expected"),
    [
        (0.8, 1.0, (0.0, 0.731059, 0.268941, 0.0, 0.0)),
        (0.8, 0.8, (0.0, 0.777300, 0.222700, 0.0, 0.0)),
        (0.6, 1.0, (0.0, 1.0, 0.0, 0.0, 0.0)),  # the second choice alone has 0.643914 of what is left
        (1.0, 1.0, (0.0, 0.643914, 0.236883, 0.087144, 0.032059)),
    ],
)
def test_the_target_is_the_hand_computed_one(top_p: float, temperature: float, expected: tuple[float, ...]) -> None:
    assert_allclose(_target(ROW, 0, top_p, temperature), expected, atol=1e-6)


def test_loss_floor_and_gradient_on_the_toy_are_the_hand_computed_ones() -> None:
    before, out = token_logits([ROW], [0]), token_logits([ROW], [0])
    value = prod_loss(before.with_logits(before.logits.detach()), out, 0.8)
    value.backward()
    assert value.item() == pytest.approx(2.459707, abs=1e-5)
    assert_allclose(gradient_of(out.logits)[0], (0.826326, -0.619228, -0.227801, 0.015135, 0.005568), atol=1e-6)
    learned = token_logits([[-60.0, 1.0, 0.0, -60.0, -60.0]], [0])
    floor = prod_loss(before.with_logits(before.logits.detach()), learned, 0.8)
    floor.backward()
    assert floor.item() == pytest.approx(0.582203, abs=1e-5)
    assert_allclose(gradient_of(learned.logits)[0], np.zeros(5), atol=1e-6)


@given(ROWS, st.integers(0, 4), st.floats(0.05, 1.0))
def test_what_is_kept_is_the_shortest_list_with_enough_probability(row: list[float], true: int, top_p: float) -> None:
    target = _target(row, true, top_p)
    assert target.sum() == pytest.approx(1, abs=1e-5)
    assert target[true] == 0
    others = [place for place in range(5) if place != true]
    rest, kept = softmax(np.asarray(row)[others]), target[others] > 0
    assert rest[kept].min() >= rest[~kept].max(initial=0) - 1e-6
    assert rest[kept].sum() >= top_p - 1e-5
    assert rest[kept].sum() - rest[kept].min() <= top_p + 1e-5
    assert_allclose(target[others][kept], rest[kept] / rest[kept].sum(), atol=1e-5)


@given(ROWS, ROWS, st.integers(0, 4), st.floats(0.0, 0.9))
def test_the_gradient_at_the_logits_is_what_the_docstring_says(
    row: list[float], now: list[float], true: int, suppression: float
) -> None:
    before, out = token_logits([row], [true]), token_logits([now], [true])
    prod_loss(before.with_logits(before.logits.detach()), out, 0.8, suppression=suppression).backward()
    p, p0, target = softmax(now), softmax(row)[true], _target(row, true, 0.8, suppression=suppression)
    assert target.sum() == pytest.approx(1 - suppression * p0, abs=1e-5)
    found = np.asarray(gradient_of(out.logits)[0])
    assert_allclose(found, p * target.sum() - target, atol=1e-5)
    assert found[true] == pytest.approx(p[true] * (1 - suppression * p0) + suppression * p0, abs=1e-5)


def test_loss_of_a_model_counts_each_answer_alike_and_the_teacher_is_the_model_before(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    method = PROD(retain_weight=2.0)
    with torch.no_grad():
        value = method.loss(tiny, Batch(tiny.encode(data.forget), tiny.encode(data.retain), memorized)).item()
        each = []
        for pair in data.forget:
            (before,), (out,) = (one.token_logits(one.encode([pair])) for one in (memorized, tiny))
            now = np.log(softmax(out.logits.numpy()))
            rows = zip(before.logits.tolist(), before.targets.tolist(), now, strict=True)
            each.append(np.mean([-(_target(row, true, 0.8) * q).sum() for row, true, q in rows]))
        kept = [-float(one.mean()) for one in tiny.pair_logprobs(data.retain)]
    assert value == pytest.approx(np.mean(each) + 2 * np.mean(kept), rel=1e-4)


def _unlearned(method: Method, model: LanguageModel, data: UnlearningData, steps: int) -> LanguageModel:
    unlearned = method.unlearn(model.copy(), data, Run(Recipe(learning_rate=1e-3, steps=steps, batch_size=4)))
    assert isinstance(unlearned, LanguageModel)
    return unlearned


def test_it_arrives_and_keeps_more_than_ascent_does(memorized: LanguageModel, data: UnlearningData) -> None:
    redistributing = _unlearned(PROD(), memorized, data, 30)
    ascending = _unlearned(GradientAscent(), memorized, data, 30)
    assert mean_logprob(redistributing, data.forget) < mean_logprob(memorized, data.forget) - 2
    assert mean_logprob(redistributing, data.retain) > mean_logprob(ascending, data.retain) + 2
