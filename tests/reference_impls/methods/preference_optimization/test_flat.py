from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.preference_optimization.flat import FLAT, divergence_loss, mean_probability
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, with_refusals

DIVERGENCES = ("total-variation", "kl", "jensen-shannon", "pearson")
PROBABILITIES = st.floats(0, 1)


def _by_formula(template: float, forget: float, divergence: str) -> float:
    """The variational form, its two functions put together as the literature on f-divergences has them."""
    g: Callable[[float], float] = {
        "total-variation": lambda v: math.tanh(v) / 2,
        "kl": lambda v: v,
        "jensen-shannon": lambda v: math.log(2) - math.log1p(math.exp(-v)),
        "pearson": lambda v: v,
    }[divergence]
    conjugate: Callable[[float], float] = {
        "total-variation": lambda t: t,
        "kl": lambda t: math.exp(t - 1),
        "jensen-shannon": lambda t: -math.log(2 - math.exp(t)),
        "pearson": lambda t: t * t / 4 + t,
    }[divergence]
    return -g(template) + conjugate(g(forget))


def _loss(template: float, forget: float, divergence: str) -> float:
    wanted, unwanted = (torch.tensor([value], dtype=torch.float64) for value in (template, forget))
    return divergence_loss(wanted, unwanted, divergence).item()


@pytest.mark.parametrize(
    ("divergence", "known", "forgotten"),
    [
        ("total-variation", 0.259461, -0.308315),
        ("kl", 0.704837, -0.493430),
        ("jensen-shannon", 0.452998, -0.300744),
        ("pearson", 0.902500, -0.797500),
    ],
)
def test_losses_are_the_hand_computed_ones(divergence: str, known: float, forgotten: float) -> None:
    assert _loss(0.2, 0.9, divergence) == pytest.approx(known, abs=1e-6)
    assert _loss(0.9, 0.1, divergence) == pytest.approx(forgotten, abs=1e-6)


@given(PROBABILITIES, PROBABILITIES, st.sampled_from(DIVERGENCES))
def test_losses_are_the_variational_form_and_lie_between_those_of_the_extremes(
    template: float, forget: float, divergence: str
) -> None:
    value = _loss(template, forget, divergence)
    assert value == pytest.approx(_by_formula(template, forget, divergence), abs=1e-9)
    assert _loss(1.0, 0.0, divergence) - 1e-9 <= value <= _loss(0.0, 1.0, divergence) + 1e-9


@given(PROBABILITIES, PROBABILITIES)
def test_total_variation_turns_its_sign_with_the_answers_and_is_bounded(template: float, forget: float) -> None:
    value = _loss(template, forget, "total-variation")
    assert value == pytest.approx(-_loss(forget, template, "total-variation"))
    assert abs(value) <= 0.3809


@given(PROBABILITIES, PROBABILITIES)
def test_slopes_are_those_of_the_page(template: float, forget: float) -> None:
    expected = {
        "total-variation": (1 / math.cosh(template) ** 2 / 2, 1 / math.cosh(forget) ** 2 / 2),
        "kl": (1.0, math.exp(forget - 1)),
        "jensen-shannon": (1 / (1 + math.exp(template)), 1 / (1 + math.exp(-forget))),
        "pearson": (1.0, 1 + forget / 2),
    }
    for divergence, (on_template, on_forget) in expected.items():
        e, f = (torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (template, forget))
        divergence_loss(e, f, divergence).backward()
        assert float(gradient_of(e)) == pytest.approx(-on_template, abs=1e-9)
        assert float(gradient_of(f)) == pytest.approx(on_forget, abs=1e-9)


def test_the_mean_probability_and_its_gradient_on_the_toy() -> None:
    out = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    value = mean_probability(out)
    value.sum().backward()
    p = softmax(FORGET_LOGITS)
    right = p[[0, 1], FORGET_TARGETS]
    assert value.item() == pytest.approx(right.mean())
    assert_allclose(gradient_of(out.logits), right[:, None] * (np.eye(3)[FORGET_TARGETS] - p) / 2, atol=1e-7)


def test_a_forgotten_token_and_an_unlikely_template_do_not_pull() -> None:
    out = token_logits([[-30.0, 0.0, 0.0]], [0])
    mean_probability(out).sum().backward()
    assert_allclose(gradient_of(out.logits), 0.0, atol=1e-12)


def test_every_pair_is_adjusted_by_itself(tiny: LanguageModel, data: UnlearningData) -> None:
    both = with_refusals(data, Run(Recipe()).rng, 1)

    def batch(rows: slice) -> Batch:
        pairs = both.forget[rows]
        templates = [type(one)(one.prompt, one.alternates[0]) for one in pairs]
        return Batch(tiny.encode(pairs), tiny.encode(data.retain), None, tiny.encode(templates))

    with torch.no_grad():
        together = FLAT(divergence="kl").loss(tiny, batch(slice(None))).item()
        alone = [FLAT(divergence="kl").loss(tiny, batch(slice(row, row + 1))).item() for row in range(3)]
    assert together == pytest.approx(float(np.mean(alone)), rel=1e-5)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_the_true_answers_fall_without_any_example_of_what_must_stay(
    divergence: str, learned: LanguageModel, data: UnlearningData
) -> None:
    start = learned.copy()
    run = Run(Recipe(learning_rate=1e-3, steps=15, batch_size=3))
    unlearned = FLAT(divergence=divergence).unlearn(start, UnlearningData(data.forget), run)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 1
