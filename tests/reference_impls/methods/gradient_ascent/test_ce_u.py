from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, softmax, token_logits

from reference_impls.methods.gradient_ascent.ce_u import CEU, ceu_loss, without_first_tokens
from reference_impls.toolkit import Batch, LanguageModel, UnlearningData, mean_nll


@pytest.mark.parametrize(
    ("row", "target", "loss", "gradient"),
    [
        ([2.0, 0.0, 0.0], 0, 2.239545, (0.786986, -0.393493, -0.393493)),
        ([0.0, 1.0, 0.0], 1, 1.551445, (-0.288058, 0.576117, -0.288058)),
        ([0.0, 0.0, 0.0], 0, 1.098612, (0.333333, -0.166667, -0.166667)),
    ],
)
def test_loss_and_gradient_of_a_token_are_the_hand_computed_ones(
    row: list[float], target: int, loss: float, gradient: tuple[float, ...]
) -> None:
    out = token_logits([row], [target])
    value = ceu_loss(out)
    value.backward()
    assert value.item() == pytest.approx(loss, abs=1e-6)
    assert_allclose(gradient_of(out.logits)[0], gradient, atol=1e-6)


def test_loss_on_the_toy_with_and_without_the_first_token() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    assert ceu_loss(without_first_tokens(out, 0)).item() == pytest.approx(1.895495, abs=1e-6)
    assert ceu_loss(without_first_tokens(out, 1)).item() == pytest.approx(1.551445, abs=1e-6)


def test_the_first_tokens_are_those_of_each_answer() -> None:
    out = token_logits([[float(n), 0.0] for n in range(6)], [0] * 6, [0, 0, 1, 2, 2, 2])
    kept = without_first_tokens(out, 1)
    assert kept.logits[:, 0].tolist() == [1.0, 4.0, 5.0]
    assert kept.sequence.tolist() == [0, 2, 2]
    assert bool(ceu_loss(kept).isfinite())  # an answer with nothing left counts as 0


@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4), st.integers(0, 3))
def test_the_gradient_is_that_of_unlikelihood_and_its_size_is_twice_the_probability(
    row: list[float], target: int
) -> None:
    out = token_logits([row], [target])
    ceu_loss(out).backward()
    exact = torch.tensor([row], dtype=torch.float64, requires_grad=True)
    others = [place for place in range(4) if place != target]
    (torch.logsumexp(exact, 1) - torch.logsumexp(exact[:, others], 1)).sum().backward()  # -log(1 - p)
    assert_allclose(gradient_of(out.logits), gradient_of(exact), atol=1e-5)
    assert float(gradient_of(out.logits).abs().sum()) == pytest.approx(2 * softmax(row)[target], abs=1e-5)


@pytest.mark.parametrize("margin", [-80.0, 40.0, 200.0])
def test_a_certain_or_an_impossible_token_gives_numbers(margin: float) -> None:
    out = token_logits([[margin, 0.0, 1.0]], [0])
    value = ceu_loss(out)
    value.backward()
    assert bool(value.isfinite())
    assert bool(gradient_of(out.logits).isfinite().all())


def test_the_push_is_strongest_where_gradient_ascent_has_none() -> None:
    pushes = []
    for margin in (8.0, -8.0):
        one, other = token_logits([[margin, 0.0, 0.0]], [0]), token_logits([[margin, 0.0, 0.0]], [0])
        ceu_loss(one).backward()
        (-mean_nll(other)).backward()
        pushes.append((float(gradient_of(one.logits)[0, 0]), float(gradient_of(other.logits)[0, 0])))
    (known, known_by_ascent), (forgotten, forgotten_by_ascent) = pushes
    assert known > 0.99
    assert known_by_ascent < 0.01
    assert forgotten < 0.01
    assert forgotten_by_ascent > 0.99


@pytest.mark.parametrize(("steps", "margin", "probability"), [(20, -1.6401, 0.08841), (200, -4.2742, 0.006914)])
def test_plain_descent_from_a_confident_start_is_as_quick_as_computed_by_hand(
    steps: int, margin: float, probability: float
) -> None:
    row = [4.0, 0.0, 0.0]
    for _ in range(steps):
        out = token_logits([row], [0])
        (gradient,) = torch.autograd.grad(ceu_loss(out), out.logits)
        row = [x - 0.5 * float(g) for x, g in zip(row, gradient[0], strict=True)]
    assert row[0] - row[1] == pytest.approx(margin, abs=1e-3)
    assert softmax(row)[0] == pytest.approx(probability, rel=2e-3)


def test_loss_of_a_model_is_the_formula_over_all_but_the_first_tokens(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    with torch.no_grad():
        value = CEU().loss(tiny, Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)).item()
    means = []
    for pair in data.forget:
        prompt, answer = (tiny.tokenizer(text)["input_ids"] for text in (pair.prompt, pair.answer))
        with torch.no_grad():
            logits = tiny.model(input_ids=torch.tensor([prompt + answer])).logits[0].double().numpy()
        losses = []
        for place, token in enumerate([*answer, tiny.tokenizer.eos_token_id]):
            p = softmax(logits[len(prompt) - 1 + place])
            q = np.where(np.arange(len(p)) == token, 0.0, p / (1 - p[token]))
            losses.append(-(q * np.log(p)).sum())
        means.append(np.mean(losses[1:]))
    assert value == pytest.approx(float(np.mean(means)), rel=1e-4)
