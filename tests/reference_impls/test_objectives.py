"""Losses that several methods share, where no method's own tests are about them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_REFERENCE,
    FORGET_TARGETS,
    gradient_of,
    log_ratios,
    losses,
    softmax,
    token_logits,
)

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Pair,
    UnlearningData,
    ascent_or_npo,
    away_loss,
    dpo_with_retain,
    mean_nll,
    softened_kl,
    uniform_loss,
    unlikelihood_loss,
)


def test_dpo_with_retain_is_the_formula_over_whole_answers_plus_the_retain_loss(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    others = [replace(pair, answer=f" {pair.subject} likes winter.") for pair in data.forget]

    def encoded(pairs: Sequence[Pair]) -> Encoded:
        return replace(tiny.encode(pairs), reference=torch.cat(tiny.pair_logprobs(pairs)).clone())

    batch = Batch(encoded(data.forget), memorized.encode(data.retain), None, encoded(others))
    with torch.no_grad():
        value = dpo_with_retain(memorized, batch, 0.2, 2.0).item()
    margin = log_ratios(memorized, tiny, others) - log_ratios(memorized, tiny, data.forget)
    kept = np.mean([-float(one.mean()) for one in memorized.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(2 / 0.2 * np.logaddexp(0, -0.2 * margin).mean() + 2 * kept), rel=1e-4)


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3))
def test_uniform_loss_is_least_where_all_tokens_are_equally_likely(logits: list[float]) -> None:
    out = token_logits([logits], [0])
    value = uniform_loss(out)
    value.backward()
    assert value.item() == pytest.approx(-np.log(softmax(logits)).mean(), rel=1e-4)
    assert value.item() >= math.log(3) - 1e-6
    assert_allclose(gradient_of(out.logits)[0], softmax(logits) - 1 / 3, atol=1e-5)


def test_what_works_on_top_of_ascent_or_npo_has_the_loss_of_either() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    reference = -torch.from_numpy(losses(FORGET_REFERENCE, FORGET_TARGETS))
    nll = losses(FORGET_LOGITS, FORGET_TARGETS)
    assert ascent_or_npo(out, None, "ascent", 0.1).item() == pytest.approx(-nll.mean(), rel=1e-5)
    fallen = float(nll.sum() + reference.sum())
    expected = 2 / 0.3 * np.logaddexp(0, -0.3 * fallen)
    assert ascent_or_npo(out, reference, "npo", 0.3).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("logit", "value"), [(0.0, math.log(2)), (math.log(3), math.log(4)), (-5.1, 0.0)])
def test_away_loss_of_one_token_is_the_hand_computed_one(logit: float, value: float) -> None:
    assert away_loss(token_logits([[logit, 0.0]], [0])).item() == pytest.approx(value, abs=1e-6)


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3))
def test_away_loss_has_a_floor_and_lets_go(logits: list[float]) -> None:
    out = token_logits([logits], [0])
    value = away_loss(out)
    value.backward()
    p = softmax(logits)
    if np.log(p[0]) < -5:
        assert not gradient_of(out.logits).any()
    else:
        assert value.item() == pytest.approx(-np.log(p[1:].sum()), abs=1e-4)
        assert_allclose(gradient_of(out.logits)[0], [p[0], *(-p[0] * p[1:] / p[1:].sum())], atol=1e-4)
    assert value.item() >= 0


def test_away_loss_of_a_certain_answer_pulls_with_full_strength_and_no_infinity() -> None:
    out = token_logits([[100.0, 0.0, 0.0]], [0])
    away_loss(out).backward()
    assert_allclose(gradient_of(out.logits)[0], [1.0, -0.5, -0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("row", "target", "value", "gradient"),
    [
        ([2.0, 0.0, 0.0], 0, math.log(1 + math.e**2 / 2), (0.786986, -0.393493, -0.393493)),
        ([0.0, 0.0, 0.0], 1, math.log(1.5), (-1 / 6, 1 / 3, -1 / 6)),
        ([100.0, 0.0, 0.0], 0, 100 - math.log(2), (1.0, -0.5, -0.5)),
        ([-100.0, 0.0, 0.0], 0, 0.0, (0.0, 0.0, 0.0)),
    ],
)
def test_unlikelihood_of_one_token_is_the_hand_computed_one_however_certain_it_is(
    row: list[float], target: int, value: float, gradient: tuple[float, ...]
) -> None:
    out = token_logits([row], [target])
    found = unlikelihood_loss(out)
    found.backward()
    assert found.item() == pytest.approx(value, abs=1e-5)
    assert_allclose(gradient_of(out.logits)[0], gradient, atol=1e-5)


@given(st.lists(st.lists(st.floats(-8, 8), min_size=3, max_size=3), min_size=3, max_size=3))
def test_unlikelihood_is_minus_the_log_of_all_other_tokens_mean_over_tokens_then_answers(
    rows: list[list[float]],
) -> None:
    targets = [0, 1, 2]
    each = [-np.log(np.delete(softmax(row), target).sum()) for row, target in zip(rows, targets, strict=True)]
    value = unlikelihood_loss(token_logits(rows, targets, [0, 0, 1])).item()
    assert value == pytest.approx(((each[0] + each[1]) / 2 + each[2]) / 2, rel=1e-4, abs=1e-5)


@given(st.lists(st.floats(-8, 8), min_size=4, max_size=4), st.integers(0, 3))
def test_unlikelihood_pulls_as_hard_as_a_token_is_known_and_ascent_as_it_is_not(row: list[float], target: int) -> None:
    known = softmax(row)[target]
    for loss, size in ((unlikelihood_loss, known), (lambda out: -mean_nll(out), 1 - known)):
        out = token_logits([row], [target])
        loss(out).backward()
        assert float(gradient_of(out.logits).abs().sum()) == pytest.approx(2 * size, abs=1e-4)


@pytest.mark.parametrize(("temperature", "value"), [(1.0, 0.302929), (4.0, 0.353458)])
def test_the_softened_divergence_is_the_hand_computed_one(temperature: float, value: float) -> None:
    teacher, student = token_logits([[2.0, 0.0, 0.0]], [0]), token_logits([[1.0, 1.0, 0.0]], [0])
    assert softened_kl(teacher, student, temperature).item() == pytest.approx(value, abs=1e-6)


@given(*[st.lists(st.floats(-5, 5), min_size=3, max_size=3)] * 2, st.floats(0.5, 5))
def test_the_softened_divergence_is_never_below_0_and_pulls_by_the_difference_of_probabilities(
    before: list[float], now: list[float], temperature: float
) -> None:
    student = token_logits([now], [0])
    value = softened_kl(token_logits([before], [0]), student, temperature)
    value.backward()
    p, q = softmax(np.divide(before, temperature)), softmax(np.divide(now, temperature))
    assert value.item() >= -1e-5
    assert_allclose(gradient_of(student.logits)[0], temperature * (q - p), atol=1e-5)
