from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, losses, mean_logprob, softmax

from reference_impls.methods.relabeling.me_gd import DIVERGENCES, MaximumEntropy
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

rows = st.lists(st.floats(-20, 20), min_size=2, max_size=6)


def _value_and_gradient(first: str, row: list[float]) -> tuple[float, np.ndarray]:
    logits = torch.tensor([row], dtype=torch.float64, requires_grad=True)
    value = DIVERGENCES[first](logits).sum()
    value.backward()
    return value.item(), gradient_of(logits)[0].numpy()


@pytest.mark.parametrize(
    ("first", "value", "gradient"),
    [
        ("uniform", 0.474266, (0.453653, -0.226826, -0.226826)),
        ("prediction", 0.433040, (0.335278, -0.167639, -0.167639)),
    ],
)
def test_divergence_and_gradient_are_the_hand_computed_ones(
    first: str, value: float, gradient: tuple[float, ...]
) -> None:
    found, slope = _value_and_gradient(first, [2.0, 0.0, 0.0])
    assert found == pytest.approx(value, abs=1e-6)
    assert_allclose(slope, gradient, atol=1e-6)


@given(rows)
def test_both_are_the_formulas_never_below_0_and_one_has_a_ceiling(row: list[float]) -> None:
    p, size = softmax(row), len(row)
    entropy = -float((p * np.log(p)).sum())
    for first, formula, slope in (
        ("uniform", -math.log(size) - float(np.log(p).mean()), p - 1 / size),
        ("prediction", math.log(size) - entropy, p * (np.log(p) + entropy)),
    ):
        value, gradient = _value_and_gradient(first, row)
        assert value == pytest.approx(formula, abs=1e-9)
        assert value > -1e-12
        assert_allclose(gradient, slope, atol=1e-9)
    assert _value_and_gradient("prediction", row)[0] <= math.log(size) + 1e-12


@pytest.mark.parametrize("first", DIVERGENCES)
def test_equal_logits_are_where_it_ends(first: str) -> None:
    value, gradient = _value_and_gradient(first, [0.7] * 5)
    assert value == pytest.approx(0, abs=1e-12)
    assert_allclose(gradient, 0, atol=1e-12)


@given(rows)
def test_it_is_what_random_labels_expect(row: list[float]) -> None:
    each = [float(losses([row], [label])[0]) for label in range(len(row))]
    assert _value_and_gradient("uniform", row)[0] == pytest.approx(np.mean(each) - math.log(len(row)), abs=1e-9)


def test_certainty_leaves_entropy_without_a_gradient_and_the_other_with_one() -> None:
    certain = [60.0, 0.0, 0.0, 0.0]
    assert np.abs(_value_and_gradient("prediction", certain)[1]).max() < 1e-20
    assert_allclose(_value_and_gradient("uniform", certain)[1], (0.75, -0.25, -0.25, -0.25), atol=1e-9)


def test_loss_of_a_model_is_a_mean_over_tokens_then_answers_plus_the_retain_loss(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = MaximumEntropy(forget_weight=0.3, retain_weight=2.0).loss(tiny, batch).item()
        (forget,) = tiny.token_logits(batch.forget)
    p, of = softmax(forget.logits.numpy()), forget.sequence.numpy()
    each = -np.log(p.shape[1]) - np.log(p).mean(axis=1)
    pushed = np.mean([each[of == row].mean() for row in range(len(data.forget))])
    kept = np.mean([float(-one.mean()) for one in tiny.pair_logprobs(data.retain)])
    assert value == pytest.approx(0.3 * pushed + 2 * kept, rel=1e-4)


def test_the_model_ends_with_no_opinion_on_the_forget_answers_and_keeps_the_rest(
    learned: LanguageModel, data: UnlearningData
) -> None:
    def entropy(model: LanguageModel) -> float:
        """Mean entropy at the forget answers' places, as a share of the most that there can be."""
        with torch.no_grad():
            (out,) = model.token_logits(model.encode(data.forget))
        p = softmax(out.logits.numpy())
        return float(-(p * np.log(p)).sum(axis=1).mean() / math.log(p.shape[1]))

    unlearned = MaximumEntropy(forget_weight=1.0).unlearn(learned.copy(), data, Run(Recipe(1e-3, 20, 3)))
    kept, gone = (mean_logprob(unlearned, pairs) for pairs in (data.retain, data.forget))
    assert entropy(unlearned) > 0.5 > 4 * entropy(learned)
    assert kept > gone + 2
