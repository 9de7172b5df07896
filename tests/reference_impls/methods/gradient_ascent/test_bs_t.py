from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.gradient_ascent.bs_t import BST
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, bs_t_loss, mean_nll

ROW = [2.0, 1.0, 0.0, -1.0]

rows = st.lists(st.integers(-20, 20).map(lambda x: x / 4), min_size=5, max_size=5, unique=True)


def _target(row: np.ndarray, gold: int, belief_weight: float, top: int) -> np.ndarray:
    """What is unlearned at one place, from probabilities."""
    kept = np.zeros_like(row)
    likeliest = np.argsort(-row)[:top]
    kept[likeliest] = row[likeliest] / row[likeliest].sum()
    told: np.ndarray = belief_weight * kept + (1 - belief_weight) * np.eye(len(row))[gold]
    return told


def test_loss_and_gradient_are_the_hand_computed_ones() -> None:
    out = token_logits([ROW], [0])
    value = bs_t_loss(out, 0.2, 2)
    value.backward()
    assert value.item() == pytest.approx(-0.493978, abs=1e-6)
    assert_allclose(gradient_of(out.logits)[0], (0.302297, -0.183095, -0.087144, -0.032059), atol=1e-6)


@given(rows, st.integers(0, 4), st.floats(0, 1), st.integers(1, 7))
def test_gradient_is_the_target_less_the_prediction(row: list[float], gold: int, weight: float, top: int) -> None:
    out = token_logits([row], [gold])
    bs_t_loss(out, weight, top).backward()
    now = softmax(row)
    assert_allclose(gradient_of(out.logits)[0], _target(now, gold, weight, top) - now, atol=1e-5)


@given(rows, st.integers(0, 4), st.floats(0, 1), st.integers(1, 5))
def test_a_belief_is_pushed_down_only_where_all_of_them_are_less_likely_than_their_share(
    row: list[float], gold: int, weight: float, top: int
) -> None:
    out = token_logits([row], [gold])
    bs_t_loss(out, weight, top).backward()
    now = softmax(row)
    believed = np.sort(now)[::-1][:top].sum()
    for token in np.argsort(-now)[:top]:
        if token != gold:
            assert float(gradient_of(out.logits)[0, token]) == pytest.approx(
                now[token] * (weight / believed - 1), abs=1e-5
            )


@pytest.mark.parametrize(("weight", "top", "share"), [(0.0, 2, 1.0), (0.3, 3, 0.7), (1.0, 9, 0.0)])
def test_without_beliefs_it_is_gradient_ascent_and_with_all_tokens_for_beliefs_a_part_of_it(
    weight: float, top: int, share: float
) -> None:
    out, plain = (token_logits(FORGET_LOGITS, FORGET_TARGETS) for _ in range(2))
    bs_t_loss(out, weight, top).backward()
    (-share * mean_nll(plain)).backward()
    assert_allclose(gradient_of(out.logits), gradient_of(plain.logits), atol=1e-6)


def _left(weight: float) -> np.ndarray:
    """(8,) What is said after descent on free logits until the true token is down to a probability of 0.05."""
    logits = torch.tensor([4.0, 2.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    while True:
        now = softmax(logits.numpy())
        if now[0] < 0.05:
            return now
        out = token_logits([logits.tolist()], [0])
        (gradient,) = torch.autograd.grad(bs_t_loss(out, weight, 3), out.logits)
        logits = logits - 0.05 * gradient[0]


def test_less_of_what_the_true_token_loses_is_squeezed_into_its_rivals() -> None:
    ascent, less, least = (_left(weight) for weight in (0.0, 0.2, 0.5))
    assert ascent[1:3].sum() > less[1:3].sum() > least[1:3].sum()
    assert ascent[3:].sum() < less[3:].sum() < least[3:].sum()


def test_loss_of_a_model_is_the_formula_plus_the_retain_loss(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = BST(belief_weight=0.4, top=3, retain_weight=2.0).loss(tiny, batch).item()
    answers = []
    for one in tiny.distributions([pair.prompt for pair in data.forget], [pair.answer for pair in data.forget]):
        logprobs = one.logprobs.double().numpy()
        places = zip(logprobs, one.targets.tolist(), strict=True)
        answers.append(np.mean([_target(np.exp(row), gold, 0.4, 3) @ row for row, gold in places]))
    kept = np.mean([-float(one.mean()) for one in tiny.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(np.mean(answers) + 2 * kept), rel=1e-4)


def test_it_forgets_and_keeps_the_rest(learned: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=15, batch_size=4)
    unlearned = BST().unlearn(learned.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < -0.5
    assert mean_logprob(unlearned, data.retain) > -0.1
