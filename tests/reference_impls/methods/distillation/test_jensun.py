from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.jensun import (
    REFUSAL,
    JensUn,
    divergence_from_token,
    in_turn,
    jensen_shannon,
)
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

LOGITS = st.lists(st.floats(-20, 20), min_size=4, max_size=4)


def _by_definition(p: np.ndarray, q: np.ndarray) -> float:
    """Half the two divergences from the middle; 0 log 0 is 0."""
    middle = (p + q) / 2

    def kl(one: np.ndarray) -> float:
        there = one > 0
        return float((one[there] * np.log(one[there] / middle[there])).sum())

    return (kl(p) + kl(q)) / 2


def _one_hot(logprob: float) -> float:
    return divergence_from_token(torch.tensor([logprob], dtype=torch.float64)).item()


@pytest.mark.parametrize(("probability", "value"), [(0.1, 0.525597), (1e-9, 0.693147), (1.0, 0.0)])
def test_divergence_from_a_token_is_the_hand_computed_one(probability: float, value: float) -> None:
    assert _one_hot(math.log(probability)) == pytest.approx(value, abs=1e-6)


@given(LOGITS, st.integers(0, 3))
def test_the_closed_form_is_the_definition_whatever_the_other_tokens(row: list[float], target: int) -> None:
    p = softmax(row)
    assert _one_hot(math.log(p[target])) == pytest.approx(_by_definition(p, np.eye(4)[target]), abs=1e-9)


@given(LOGITS, LOGITS)
def test_the_divergence_is_symmetric_and_between_0_and_log_2(one: list[float], other: list[float]) -> None:
    p, q = (torch.tensor([row], dtype=torch.float64) for row in (one, other))
    value = jensen_shannon(p, q).item()
    assert value == pytest.approx(_by_definition(softmax(one), softmax(other)), abs=1e-9)
    assert value == pytest.approx(jensen_shannon(q, p).item(), abs=1e-12)
    assert -1e-12 <= value <= math.log(2) + 1e-12


@given(st.floats(-60, -1e-6))
def test_the_pull_on_the_refusal_is_the_weight_of_the_page(logprob: float) -> None:
    given_logprob = torch.tensor([logprob], dtype=torch.float64, requires_grad=True)
    divergence_from_token(given_logprob).sum().backward()
    p = math.exp(logprob)
    weight = p / 2 * math.log1p(1 / p)
    assert float(gradient_of(given_logprob)) == pytest.approx(-weight, abs=1e-12)
    assert 0 < weight <= math.log(2) / 2


def test_near_each_other_the_divergence_is_a_quarter_of_kl() -> None:
    p, q = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64), torch.tensor([[1.001, 0.0, 0.0]], dtype=torch.float64)
    one, other = softmax(p.numpy()[0]), softmax(q.numpy()[0])
    assert jensen_shannon(p, q).item() == pytest.approx(float((one * np.log(one / other)).sum()) / 4, rel=1e-3)


def test_the_refusals_tokens_take_turns_in_every_answer() -> None:
    out = token_logits([[0.0, 0.0, 0.0]] * 6, [0] * 6, [0, 0, 0, 1, 1, 2])
    assert in_turn(out, torch.tensor([7, 8])).tolist() == [7, 8, 7, 7, 8, 7]


def test_at_the_start_the_retain_term_has_neither_value_nor_gradient(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    batch = Batch(model.encode(data.forget), model.encode(data.retain), tiny.frozen())
    with_it, without = (JensUn(retain_weight=weight).loss(model, batch) for weight in (100.0, 0.0))
    assert with_it.item() == pytest.approx(without.item(), abs=1e-5)
    grads = []
    for weight in (100.0, 0.0):
        model.model.zero_grad()
        JensUn(retain_weight=weight).loss(model, batch).backward()
        grads.append(torch.cat([gradient_of(one).flatten() for one in model.model.parameters()]))
    torch.testing.assert_close(grads[0], grads[1], atol=1e-4, rtol=0)


def test_the_refusal_takes_over_and_what_stays_stays(learned: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=2e-3, steps=30, batch_size=3))
    unlearned = JensUn(retain_weight=2.0).unlearn(learned.copy(), data, run)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 2
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 1
    (first, *_) = learned.tokenizer(learned.answer(REFUSAL), add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        (now,), (then,) = (one.token_logits(one.encode(data.forget[:1])) for one in (unlearned, learned))
    said, before = (torch.log_softmax(one.logits[0], dim=0)[first].item() for one in (now, then))
    assert said > before
