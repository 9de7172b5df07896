from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, softmax, token_logits

from reference_impls.methods.distillation.undial import UNDIAL, adjusted_distribution, soft_cross_entropy
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData

ROW = [2.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("strength", "target", "loss", "gradient"),
    [
        (0.0, (0.786986, 0.106507, 0.106507), None, (0.0, 0.0, 0.0)),
        (1.0, (0.576117, 0.211942, 0.211942), 1.087311, (0.210869, -0.105435, -0.105435)),
        (2.0, (1 / 3, 1 / 3, 1 / 3), 1.572878, (0.453653, -0.226826, -0.226826)),
        (3.0, (0.155362, 0.422319, 0.422319), 1.928820, None),
        (10.0, (0.000168, 0.499916, 0.499916), 2.239209, (0.786818, -0.393409, -0.393409)),
    ],
)
def test_target_loss_and_gradient_on_the_toy_are_the_hand_computed_ones(
    strength: float, target: tuple[float, ...], loss: float | None, gradient: tuple[float, ...] | None
) -> None:
    teacher, student = token_logits([ROW], [0]), token_logits([ROW], [0])
    distribution = adjusted_distribution(teacher, strength).detach()
    assert_allclose(distribution[0], target, atol=1e-6)
    value = soft_cross_entropy(student, distribution)
    value.backward()
    if loss is not None:
        assert value.item() == pytest.approx(loss, abs=1e-5)
    if gradient is not None:
        assert_allclose(gradient_of(student.logits)[0], gradient, atol=2e-6)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.integers(0, 2), st.floats(0, 12))
def test_the_target_is_the_closed_form_and_leaves_the_odds_of_others_alone(
    row: list[float], target: int, strength: float
) -> None:
    q = adjusted_distribution(token_logits([row], [target]), strength)[0].detach().double().numpy()
    before = softmax(row)
    lowered = before[target] * math.exp(-strength)
    assert q[target] == pytest.approx(lowered / (lowered + 1 - before[target]), abs=1e-5)
    others = [place for place in range(3) if place != target]
    assert_allclose(q[others] * before[others][::-1], (q[others] * before[others][::-1])[::-1], atol=1e-5)


@pytest.mark.parametrize(("certain", "strength", "left"), [(0.999, 5.0, 0.87), (0.999, 10.0, 0.04)])
def test_the_strength_has_to_match_the_certainty(certain: float, strength: float, left: float) -> None:
    row = [math.log(certain), math.log((1 - certain) / 2), math.log((1 - certain) / 2)]
    found = adjusted_distribution(token_logits([row], [0]), strength).detach()
    assert float(found[0, 0]) == pytest.approx(left, abs=0.005)


@pytest.mark.parametrize(
    ("strength", "steps", "margin", "probability"),
    [(3.0, 20, 1.1057, 0.6017), (3.0, 200, 1.0, 0.5761), (3.0, 1000, 1.0, 0.5761), (10.0, 200, -4.1849, 0.007554)],
)
def test_plain_descent_arrives_and_stays(strength: float, steps: int, margin: float, probability: float) -> None:
    row = [4.0, 0.0, 0.0]
    target = adjusted_distribution(token_logits([row], [0]), strength).detach()
    for _ in range(steps):
        out = token_logits([row], [0])
        (gradient,) = torch.autograd.grad(soft_cross_entropy(out, target), out.logits)
        row = [x - 0.5 * float(g) for x, g in zip(row, gradient[0], strict=True)]
    assert row[0] - row[1] == pytest.approx(margin, abs=1e-3)
    assert softmax(row)[0] == pytest.approx(probability, rel=2e-3)


def test_loss_of_a_model_counts_answer_tokens_alone_however_much_padding_there_is(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    with torch.no_grad():
        together = UNDIAL().loss(tiny, Batch(tiny.encode(data.forget), tiny.encode(data.retain), tiny)).item()
        alone = [
            UNDIAL().loss(tiny, Batch(tiny.encode([pair]), tiny.encode([pair]), tiny)).item() for pair in data.forget
        ]
    assert together == pytest.approx(float(np.mean(alone)), rel=1e-5)


@pytest.mark.slow
def test_more_training_does_not_go_further_and_the_teacher_is_the_model_before(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    Run(Recipe(learning_rate=3e-3, steps=40)).finetune(fresh, data.forget)
    pair: Pair = data.forget[0]
    start = fresh.copy()
    (teacher,) = start.token_logits(start.encode([pair]))
    expected = adjusted_distribution(teacher, 8.0).gather(1, teacher.targets[:, None])[:, 0].log().detach()
    left = []
    for steps in (60, 120):
        method, run = UNDIAL(strength=8.0), Run(Recipe(learning_rate=1e-3, steps=steps))
        unlearned = method.unlearn(start.copy(), data, run)
        left.append(unlearned.pair_logprobs([pair])[0])
    for found in left:
        assert float(found.mean()) == pytest.approx(float(expected.mean()), abs=0.3)
    assert float(left[0].mean()) < float(start.pair_logprobs([pair])[0].mean()) - 1
