from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.preference_optimization.catnip import CATNIP, catnip_loss, log_odds
from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

rows = st.lists(st.integers(-24, 24).map(lambda x: x / 4), min_size=4, max_size=4)
betas = st.floats(0.1, 4)


def _told(*probabilities: float) -> list[list[float]]:
    """Logits of places at which the first of three words has these probabilities."""
    return [[math.log(p), math.log((1 - p) * 0.75), math.log((1 - p) * 0.25)] for p in probabilities]


@pytest.mark.parametrize(
    ("beta", "terms", "weights"),
    [
        (0.1, (16.180621, 13.862944, 11.134469), (1.109421, 1.0, 0.853833)),
        (1.0, (4.605170, 1.386294, 0.102587), (1.8, 1.0, 0.1)),
    ],
)
def test_terms_and_weights_are_the_hand_computed_ones(
    beta: float, terms: tuple[float, ...], weights: tuple[float, ...]
) -> None:
    told = _told(0.9, 0.5, 0.05)
    for row, term, weight in zip(told, terms, weights, strict=True):
        out = token_logits([row], [0])
        value = catnip_loss(out, beta, flowing=False)
        value.backward()
        assert value.item() == pytest.approx(term, abs=1e-5)
        push = weight * (np.eye(3)[0] - softmax(row))
        assert_allclose(gradient_of(out.logits)[0], push, atol=1e-5)
    whole = catnip_loss(token_logits(told, [0, 0, 0]), beta, flowing=False)
    assert whole.item() == pytest.approx(np.mean(terms), abs=1e-5)


@given(rows, st.integers(0, 3), betas)
def test_the_push_grows_with_the_confidence_and_lies_between_0_and_2(row: list[float], gold: int, beta: float) -> None:
    out = token_logits([row], [gold])
    catnip_loss(out, beta, flowing=False).backward()
    p = float(softmax(row)[gold])
    weight = 2 * p**beta / (p**beta + (1 - p) ** beta)
    assert 0 <= weight <= 2
    assert_allclose(gradient_of(out.logits)[0], weight * (np.eye(4)[gold] - softmax(row)), atol=1e-5)


@given(rows, st.integers(0, 3), betas)
def test_with_a_gradient_through_the_reference_the_others_rise_by_what_the_true_token_loses(
    row: list[float], gold: int, beta: float
) -> None:
    out = token_logits([row], [gold])
    catnip_loss(out, beta, flowing=True).backward()
    p = softmax(row)
    others = np.where(np.arange(4) == gold, 0, p) / (1 - p[gold])
    weight = 2 * p[gold] ** beta / (p[gold] ** beta + (1 - p[gold]) ** beta)
    assert_allclose(gradient_of(out.logits)[0], weight * (np.eye(4)[gold] - others), atol=1e-4)


def test_beta_1_with_that_gradient_is_the_unlikelihood_loss() -> None:
    out, plain = (token_logits(FORGET_LOGITS, FORGET_TARGETS) for _ in range(2))
    catnip_loss(out, 1.0, flowing=True).backward()
    unlikely = -2 * torch.log1p(-plain.token_logprobs().exp())
    unlikely.mean().backward()
    assert catnip_loss(out, 1.0, flowing=True).item() == pytest.approx(unlikely.mean().item(), rel=1e-5)
    assert_allclose(gradient_of(out.logits), gradient_of(plain.logits), atol=1e-6)


def test_odds_are_exact_where_the_token_is_nearly_certain() -> None:
    odds = log_odds(torch.tensor([[30.0, 0.0, 0.0]]), torch.tensor([0]))
    assert odds.item() == pytest.approx(30 - math.log(2), abs=1e-5)


def test_an_answer_that_says_the_same_twice_counts_as_one() -> None:
    once, twice = (token_logits(FORGET_LOGITS * n, FORGET_TARGETS * n) for n in (1, 2))
    assert catnip_loss(twice, 0.5, False).item() == pytest.approx(catnip_loss(once, 0.5, False).item(), rel=1e-6)


@pytest.mark.parametrize("reference_gradient", ["stopped", "flowing"])
def test_loss_of_a_model_is_the_formula_plus_the_retain_loss(
    reference_gradient: str, tiny: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    method = CATNIP(beta=0.3, reference_gradient=reference_gradient, retain_weight=2.0)
    with torch.no_grad():
        value = method.loss(tiny, batch).item()
    told = [np.exp(one.double().numpy()) for one in tiny.pair_logprobs(data.forget)]
    forgotten = np.mean([np.mean(2 / 0.3 * np.log1p((p / (1 - p)) ** 0.3)) for p in told])
    kept = np.mean([-float(one.mean()) for one in tiny.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(forgotten + 2 * kept), rel=1e-4)


def test_an_answer_that_was_never_known_is_pushed_less_than_by_npo(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    known = data.forget[:2]
    unknown = tuple(replace(pair, answer=" Hogwarts is a Magic School.") for pair in known)
    fell: dict[type, list[float]] = {}
    for method in (CATNIP(), NPO(retain_weight=0.0)):
        recipe = Recipe(learning_rate=2e-4, steps=8, batch_size=4)
        unlearned = method.unlearn(memorized.copy(), UnlearningData((*known, *unknown)), Run(recipe))
        fell[type(method)] = [
            mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (known, unknown)
        ]
    assert fell[CATNIP][0] > 1.5 * fell[NPO][0]
    assert fell[CATNIP][1] < 0.6 * fell[NPO][1]
