from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, token_logits

from reference_impls.methods.preference_optimization.sim_npo import SimNPO, simnpo_loss
from reference_impls.toolkit import Batch, LanguageModel, UnlearningData, npo_loss

NLL = 0.395495


def _weight(nll: float, beta: float, margin: float = 0.0) -> float:
    """W' = -dL/ds, by autograd."""
    value = torch.tensor([nll], dtype=torch.float64, requires_grad=True)
    simnpo_loss(value, beta, margin).backward()
    return -float(gradient_of(value))


@pytest.mark.parametrize(
    ("beta", "margin", "loss", "weight"),
    [
        (2.5, 0.0, 0.253043, 0.542323),
        (4.5, 0.0, 0.069279, 0.288674),
        (0.1, 0.0, 13.471359, 0.980228),
        (1.0, 1.0, 2.080798, 1.293373),
        (2.5, 1.0, 0.559036, None),
        (2.5, 2.5, 1.368505, None),  # a margin of 1 where it stands inside the factor beta
    ],
)
def test_loss_and_weight_on_the_toy_are_the_hand_computed_ones(
    beta: float, margin: float, loss: float, weight: float | None
) -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    assert simnpo_loss(out.sequence_nll(), beta, margin).item() == pytest.approx(loss, abs=1e-5)
    if weight is not None:
        assert _weight(NLL, beta, margin) == pytest.approx(weight, abs=1e-5)


def test_gradient_on_the_toy_is_the_hand_computed_one() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    simnpo_loss(out.sequence_nll(), 2.5, 0.0).backward()
    assert_allclose(gradient_of(out.logits)[0], (0.057761, -0.028881, -0.028881), atol=1e-6)


@given(st.floats(0, 50), st.floats(0.01, 10), st.floats(0, 5))
def test_loss_and_weight_agree_with_the_formula(nll: float, beta: float, margin: float) -> None:
    value = simnpo_loss(torch.tensor([nll], dtype=torch.float64), beta, margin).item()
    assert value == pytest.approx(2 / beta * float(np.logaddexp(0.0, margin - beta * nll)), rel=1e-9, abs=1e-12)
    assert _weight(nll, beta, margin) == pytest.approx(2 / (1 + math.exp(beta * nll - margin)), abs=1e-9)
    assert value >= 0
    assert _weight(nll, beta) <= 1


def test_of_two_answers_as_likely_per_token_the_shorter_is_pushed_harder_by_the_ratio_of_lengths() -> None:
    row = [math.log(2 / math.expm1(1)), 0.0, 0.0]  # the true token has probability 1/e: a loss of 1 per token
    for length, weight in ((1, 0.151716), (4, 0.037929)):
        out = token_logits([row] * length, [0] * length)
        simnpo_loss(out.sequence_nll(), 2.5, 0.0).backward()
        per_logprob = gradient_of(out.logits)[:, 0] / (1 - math.exp(-1))  # d log p / d logit = 1 - p
        assert_allclose(per_logprob, [weight] * length, atol=1e-6)


@pytest.mark.parametrize(("steps", "margin", "probability"), [(20, 3.3381, 0.9337), (200, -1.6225, 0.08984)])
def test_plain_descent_forgets_as_slowly_as_computed_by_hand(steps: int, margin: float, probability: float) -> None:
    logits = torch.tensor([4.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        value = simnpo_loss(-torch.log_softmax(logits, dim=0)[:1], 2.5, 0.0)
        (gradient,) = torch.autograd.grad(value, logits)
        logits = (logits - 0.5 * gradient).detach().requires_grad_(True)
    logits = logits.detach()
    assert float(logits[0] - logits[1]) == pytest.approx(margin, abs=1e-3)
    assert float(torch.softmax(logits, 0)[0]) == pytest.approx(probability, rel=1e-3)


def test_an_answer_forgotten_beforehand_is_left_alone_where_npo_pushes_it_like_any_other() -> None:
    """The paper's point: NPO's weight is 1 for every answer at the start, however well it had been learned."""
    known, unknown = torch.tensor([-0.4]), torch.tensor([-40.0])  # of ten tokens each
    npo, simnpo = [], []
    for logprob in (known, unknown):
        now = logprob.clone().requires_grad_(True)
        (weight,) = torch.autograd.grad(npo_loss(now, logprob, 0.1), now)
        npo.append(float(weight))
        simnpo.append(_weight(float(-logprob) / 10, 2.5))
    assert npo == pytest.approx([1.0, 1.0])
    assert simnpo[0] > 0.9
    assert simnpo[1] < 1e-3


def test_loss_of_a_model_is_the_formula_over_answers_plus_the_retain_loss(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = SimNPO(beta=0.3, margin=0.5, forget_weight=2.0, retain_weight=3.0).loss(tiny, batch).item()
    forget, retain = ([float(-one.mean()) for one in tiny.pair_logprobs(part)] for part in (data.forget, data.retain))
    forgotten = np.mean([2 / 0.3 * np.logaddexp(0, 0.5 - 0.3 * nll) for nll in forget])
    assert value == pytest.approx(2 * forgotten + 3 * np.mean(retain), rel=1e-4)
