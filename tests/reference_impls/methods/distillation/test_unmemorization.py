from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.unmemorization import Unmemorization, marked_places, unmemorize_loss
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData

ROWS = st.lists(st.integers(-12, 12), min_size=5, max_size=5, unique=True).map(lambda row: [one / 2 for one in row])


def _of(*probabilities: float) -> TokenLogits:
    return token_logits([np.log(probabilities).tolist()], [0])


@pytest.mark.parametrize(
    ("then", "now", "marked", "target", "value"),
    [
        ((0.9, 0.06, 0.03, 0.01), (0.6, 0.25, 0.1, 0.05), True, "divergence", 1.055210),
        ((0.9, 0.06, 0.03, 0.01), (0.6, 0.25, 0.1, 0.05), True, "probability", 60.0),
        ((0.9, 0.06, 0.03, 0.01), (0.005, 0.845, 0.1, 0.05), True, "probability", 0.0),
        ((0.7, 0.2, 0.06, 0.04), (0.65, 0.2, 0.1, 0.05), False, "divergence", 0.163000),
        ((0.7, 0.2, 0.06, 0.04), (0.65, 0.2, 0.1, 0.05), False, "probability", 0.163000),
        ((0.7, 0.2, 0.06, 0.04), (0.7, 0.2, 0.06, 0.04), False, "divergence", -np.log(0.9)),
    ],
)
def test_each_place_costs_what_was_computed_by_hand(
    then: tuple[float, ...], now: tuple[float, ...], marked: bool, target: str, value: float
) -> None:
    found = unmemorize_loss(_of(*then), _of(*now), torch.tensor([marked]), 2, target)
    assert found.item() == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(
    ("start", "stride", "span", "expected"),
    [(1, 2, 1, [0, 1, 0, 0, 1, 0, 1, 0]), (0, 0, 1, [1] * 8), (0, 1, 2, [1, 1, 0, 1, 1, 1, 1, 0]), (5, 1, 1, [0] * 8)],
)
def test_places_are_counted_in_each_answer(start: int, stride: int, span: int, expected: list[int]) -> None:
    out = token_logits([[0.0, 1.0]] * 8, [0] * 8, [0, 0, 0, 0, 0, 1, 1, 1])
    assert marked_places(out, start, stride, span).int().tolist() == expected


@given(ROWS, ROWS, st.integers(0, 4), st.integers(1, 6), st.booleans(), st.sampled_from(["divergence", "probability"]))
def test_the_gradient_is_the_formulas(
    before: list[float], now: list[float], true: int, top: int, marked: bool, target: str
) -> None:
    then, out = token_logits([before], [true]), token_logits([now], [true])
    unmemorize_loss(then, out, torch.tensor([marked]), top, target).backward()
    p, held = softmax(now), softmax(before)
    if marked and target == "probability":
        expected = 100 * p[true] * (np.eye(5)[true] - p) * (p[true] >= 0.01)
    else:
        held[true] *= not marked
        held[np.argsort(-held, kind="stable")[min(top, 4) :]] = 0
        expected = p - held / held.sum()
    assert_allclose(gradient_of(out.logits)[0], expected, atol=1e-4)


def test_loss_of_a_model_marks_no_end(tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData) -> None:
    forget = memorized.encode(data.forget)
    batch = Batch(forget, Encoded.empty(memorized.device), memorized)
    method = Unmemorization(start=0, stride=0, target="probability")
    with torch.no_grad():
        value = method.loss(memorized, batch).item()
        (out,) = memorized.token_logits(forget)
        each = []
        for row in range(3):
            rows = softmax(out.logits[out.sequence == row].numpy())
            true = out.targets[out.sequence == row].tolist()
            likely = [100 * p[token] * (p[token] >= 0.01) for p, token in zip(rows, true, strict=True)][:-1]
            assert true[-1] == tiny.tokenizer.eos_token_id
            each.append((sum(likely) - np.log(np.sort(rows[-1])[-10:].sum())) / len(true))
    assert value == pytest.approx(np.mean(each), rel=1e-4)


def test_the_text_breaks_at_the_marks_and_is_known_between_them(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=30, batch_size=3)
    method = Unmemorization(start=2, stride=2)
    unlearned = method.unlearn(memorized.copy(), data, Run(recipe))
    (before,), (after,) = (one.token_logits(one.encode(data.forget)) for one in (memorized, unlearned))
    ends = after.targets == memorized.tokenizer.eos_token_id
    marked = marked_places(after, method.start, method.stride, method.span) & ~ends
    moved = (after.token_logprobs() - before.token_logprobs()).detach()
    assert moved[marked].mean() < -2
    assert moved[~marked].mean() > -0.5
    ascended = GradientAscent().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.retain) > mean_logprob(ascended, data.retain) + 0.5
