from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_REFERENCE, FORGET_TARGETS, gradient_of, losses, softmax, token_logits

from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, UnlearningData, npo_loss

LOG_RATIO = 0.859068


def _by_formula(log_ratio: float, beta: float) -> float:
    """2/beta log(1 + ratio^beta), stable."""
    return 2 / beta * float(np.logaddexp(0.0, beta * log_ratio))


def _weight(log_ratio: float, beta: float) -> float:
    """W = 2 pi^beta / (pi^beta + ref^beta)."""
    return 2 / (1 + math.exp(-beta * log_ratio))


def _gradient(log_ratio: float, beta: float) -> float:
    """What autograd says of dL / d log pi."""
    logprob = torch.tensor([log_ratio], dtype=torch.float64, requires_grad=True)
    npo_loss(logprob, torch.zeros(1, dtype=torch.float64), beta).backward()
    return float(gradient_of(logprob))


@pytest.mark.parametrize(
    ("beta", "loss", "weight", "row"),
    [
        (0.1, 14.740455, 1.042927, (0.222158, -0.111079, -0.111079)),
        (1.0, 2.424452, 1.404932, (0.299270, -0.149635, -0.149635)),
    ],
)
def test_loss_weight_and_gradient_on_the_toy_are_the_hand_computed_ones(
    beta: float, loss: float, weight: float, row: tuple[float, ...]
) -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    reference = token_logits(FORGET_REFERENCE, FORGET_TARGETS).sequence_logprobs().detach()
    assert float(out.sequence_logprobs().detach() - reference) == pytest.approx(LOG_RATIO, abs=1e-6)
    value = npo_loss(out.sequence_logprobs(), reference, beta)
    value.backward()
    assert value.item() == pytest.approx(loss, abs=1e-5)
    assert _gradient(LOG_RATIO, beta) == pytest.approx(weight, abs=1e-6)
    assert_allclose(gradient_of(out.logits)[0], row, atol=1e-5)
    by_formula = weight * (np.eye(3)[FORGET_TARGETS] - softmax(FORGET_LOGITS))
    assert_allclose(gradient_of(out.logits), by_formula, atol=1e-5)


@given(st.floats(-200, 200), st.floats(0.01, 10))
def test_gradient_is_the_adaptive_weight_between_0_and_2(log_ratio: float, beta: float) -> None:
    gradient = _gradient(log_ratio, beta)
    assert gradient == pytest.approx(_weight(log_ratio, beta) if beta * log_ratio > -700 else 0.0, abs=1e-9)
    assert 0 <= gradient <= 2


@given(st.floats(-1e4, 1e4), st.floats(0.01, 10))
def test_loss_agrees_with_the_formula_and_is_bounded_below_by_zero(log_ratio: float, beta: float) -> None:
    ratio = torch.tensor([log_ratio], dtype=torch.float64)
    value = npo_loss(ratio, torch.zeros(1, dtype=torch.float64), beta).item()
    assert value >= 0
    assert value == pytest.approx(_by_formula(log_ratio, beta), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("beta", "loss"), [(0.1, 13.862944), (1.0, 1.386294)])
def test_at_the_start_the_loss_is_2_log_2_over_beta_and_the_weight_1(beta: float, loss: float) -> None:
    same = torch.tensor([-3.0, -40.0])
    assert npo_loss(same, same, beta).item() == pytest.approx(loss, abs=1e-5)
    assert _gradient(0.0, beta) == pytest.approx(1.0)


def test_a_forgotten_answer_stops_pulling() -> None:
    assert _gradient(-50.0, 0.1) == pytest.approx(0.013386, abs=1e-6)
    assert _gradient(-500.0, 0.1) < 1e-20


def test_gradient_ascent_is_the_limit_of_small_beta() -> None:
    beta = 1e-4
    ratio = torch.tensor([LOG_RATIO], dtype=torch.float64)
    value = npo_loss(ratio, torch.zeros(1, dtype=torch.float64), beta).item()
    assert value - 2 / beta * math.log(2) == pytest.approx(0.859086, abs=1e-6)
    for log_ratio in (-20.0, -1.0, 0.0, 1.0, 20.0):
        assert _gradient(log_ratio, beta) == pytest.approx(1.0, abs=2e-3)


def test_the_batch_is_averaged_over_answers() -> None:
    ratios = torch.tensor([-1.0, 0.0, 2.0])
    each = [_by_formula(float(one), 0.5) for one in ratios]
    assert npo_loss(ratios, torch.zeros(3), 0.5).item() == pytest.approx(float(np.mean(each)), rel=1e-6)


@pytest.mark.parametrize(
    ("beta", "steps", "margin"), [(0.1, 20, 3.2796), (0.1, 200, -30.1064), (1.0, 20, 3.2856), (1.0, 200, -4.7449)]
)
def test_descent_on_free_logits_slows_down_where_ascent_runs_away(beta: float, steps: int, margin: float) -> None:
    logits = torch.tensor([4.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    reference = torch.log_softmax(logits, dim=0)[:1].detach()
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(npo_loss(torch.log_softmax(logits, dim=0)[:1], reference, beta), logits)
        logits = (logits - 0.5 * gradient).detach().requires_grad_(True)
    margin_now = (logits[0] - logits[1]).item()
    assert margin_now == pytest.approx(margin, abs=1e-3)


def test_first_gradient_of_a_model_is_that_of_summed_gradient_ascent(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(_with_reference(fresh, data), fresh.encode(data.retain), None)
    NPO(retain_weight=0.0).loss(fresh, batch).backward()
    npo = {name: weight.grad.clone() for name, weight in fresh.model.named_parameters()}
    fresh.model.zero_grad()
    fresh.token_logits(batch.forget)[0].sequence_logprobs().mean().backward()
    for name, weight in fresh.model.named_parameters():
        assert_allclose(npo[name], weight.grad, atol=1e-5, err_msg=name)


def test_loss_of_a_model_is_the_formula_over_whole_answers_plus_the_retain_loss(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(_with_reference(tiny, data), tiny.encode(data.retain), None)
    with torch.no_grad():
        for weight in fresh.model.parameters():
            weight.mul_(1.02)
        value = NPO(beta=0.3, retain_weight=2.0).loss(fresh, batch).item()
    before = [float(x.sum()) for x in tiny.pair_logprobs(data.forget)]
    now = [float(x.sum()) for x in fresh.pair_logprobs(data.forget)]
    kept = np.mean([float(-x.mean()) for x in fresh.pair_logprobs(data.retain)])
    forgotten = np.mean([_by_formula(one - other, 0.3) for one, other in zip(now, before, strict=True)])
    assert value == pytest.approx(float(forgotten + 2 * kept), rel=1e-4)


def test_unlearning_measures_against_the_model_before_and_not_the_current_one(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    seen = []

    class Watched(NPO):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            assert batch.forget.reference is not None
            out = batch.forget.reference
            rows = [[float(x) for x in out]]
            seen.append((batch.forget.rows.tolist(), rows, super().loss(model, batch)))
            return seen[-1][2]

    before = fresh.pair_logprobs(data.forget)
    Watched().unlearn(fresh, data, Run(Recipe(learning_rate=1e-3, steps=6, batch_size=2)))
    for rows, reference, _ in seen:
        assert_allclose(reference[0], torch.cat([before[row] for row in rows]), atol=1e-5)
    assert float(torch.cat(fresh.pair_logprobs(data.forget)).sum()) < float(torch.cat(before).sum()) - 1


def test_toy_losses_are_those_of_the_notes() -> None:
    assert losses(FORGET_REFERENCE, FORGET_TARGETS).sum() == pytest.approx(1.650057, abs=1e-6)


def _with_reference(model: LanguageModel, data: UnlearningData) -> Encoded:
    return replace(model.encode(data.forget), reference=torch.cat(model.pair_logprobs(data.forget)).clone())
