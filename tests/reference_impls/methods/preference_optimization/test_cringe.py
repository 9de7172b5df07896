from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.preference_optimization.cringe import CRINGE, candidates, cringe_loss
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

rows = st.lists(st.integers(-20, 20).map(lambda x: x / 4), min_size=4, max_size=4, unique=True)


def test_loss_and_gradient_are_the_hand_computed_ones() -> None:
    out = token_logits([[3.0, 2.0, -1.0]], [0])
    value = cringe_loss(out, 1)
    value.backward()
    assert value.item() == pytest.approx(1.313262, abs=1e-6)
    assert_allclose(gradient_of(out.logits)[0], (0.731059, -0.731059, 0.0), atol=1e-6)


@given(rows, st.integers(0, 3))
def test_the_likeliest_other_token_and_the_true_one_move_and_no_other(row: list[float], true: int) -> None:
    out = token_logits([row], [true])
    value = cringe_loss(out, 1)
    value.backward()
    rival = max((token for token in range(4) if token != true), key=lambda token: row[token])
    alone = softmax([row[true], row[rival]])
    expected = np.zeros(4)
    expected[[true, rival]] = alone[0], -alone[0]
    assert_allclose(gradient_of(out.logits)[0], expected, atol=1e-5)
    assert value.item() == pytest.approx(-np.log(alone[1]), abs=1e-4)
    assert value.item() >= 0


@given(rows, st.integers(0, 3), st.integers(1, 6))
def test_a_candidate_is_one_of_the_likeliest_and_never_the_true_token(row: list[float], true: int, top: int) -> None:
    others = sorted((token for token in range(4) if token != true), key=lambda token: -row[token])
    drawn = candidates(torch.tensor([row] * 50), torch.tensor([true] * 50), top)
    assert set(drawn.tolist()) <= set(others[:top])


def test_candidates_are_drawn_as_often_as_the_model_would_say_them() -> None:
    torch.manual_seed(0)
    drawn = candidates(torch.tensor([[5.0, 1.0, 0.0, -4.0]] * 4000), torch.zeros(4000, dtype=torch.long), 2)
    shares = np.bincount(drawn.numpy(), minlength=4) / 4000
    assert_allclose(shares, (0.0, 0.731059, 0.268941, 0.0), atol=0.03)


def test_what_is_forgotten_stops_pulling() -> None:
    pulls = []
    for lead in (0.0, 5.0, 20.0):
        out = token_logits([[0.0, lead]], [0])
        cringe_loss(out, 1).backward()
        pulls.append(float(gradient_of(out.logits)[0, 0]))
    assert pulls == pytest.approx([0.5, 0.006693, 0.0], abs=1e-6)


def test_loss_of_a_model_is_the_formula_plus_the_retain_loss(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = CRINGE(retain_weight=2.0).loss(tiny, batch).item()
    answers = []
    for one in tiny.distributions([pair.prompt for pair in data.forget], [pair.answer for pair in data.forget]):
        logprobs = one.logprobs.double().numpy().copy()
        true = logprobs[np.arange(len(logprobs)), one.targets]
        logprobs[np.arange(len(logprobs)), one.targets] = -np.inf
        answers.append(np.logaddexp(0, true - logprobs.max(axis=1)).mean())
    kept = np.mean([-float(one.mean()) for one in tiny.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(np.mean(answers) + 2 * kept), rel=1e-4)


def test_it_forgets_and_keeps_the_rest(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=15, batch_size=4)
    unlearned = CRINGE().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.5
    assert mean_logprob(unlearned, data.retain) > -0.3
