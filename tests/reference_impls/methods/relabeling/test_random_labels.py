from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, gradient_of, losses, softmax, token_logits

from reference_impls.methods.relabeling import random_labels
from reference_impls.methods.relabeling.random_labels import RandomLabels, random_label_loss
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, TokenLogits, UnlearningData


def _expected(row: list[float]) -> tuple[float, np.ndarray]:
    """Loss and gradient of one place, averaged over every label."""
    values, gradients = [], []
    for label in range(len(row)):
        out = token_logits([row], [0])
        value = random_label_loss(out, torch.tensor([label]))
        value.backward()
        values.append(value.item())
        gradients.append(gradient_of(out.logits)[0].numpy())
    return float(np.mean(values)), np.mean(gradients, axis=0)


def test_expected_loss_and_gradient_are_the_hand_computed_ones() -> None:
    loss, gradient = _expected([2.0, 0.0, 0.0])
    assert loss == pytest.approx(1.572878, abs=1e-5)
    assert_allclose(gradient, (0.453653, -0.226827, -0.226827), atol=1e-5)


def test_it_is_least_and_still_where_the_model_has_no_opinion() -> None:
    loss, gradient = _expected([0.7, 0.7, 0.7])
    assert loss == pytest.approx(math.log(3), abs=1e-6)
    assert_allclose(gradient, 0, atol=1e-6)


def test_expected_gradient_is_that_of_the_divergence_from_uniform() -> None:
    row = [1.5, -0.3, 0.2, 0.9]
    _, gradient = _expected(row)
    assert_allclose(gradient, softmax([row])[0] - 1 / 4, atol=1e-6)


@pytest.mark.parametrize(("steps", "margin"), [(20, 0.1019), (200, 0.0)])
def test_descent_on_free_logits_ends_at_uniform(steps: int, margin: float) -> None:
    logits = np.array([4.0, 0.0, 0.0])
    for _ in range(steps):
        logits -= 0.5 * _expected(logits.tolist())[1]
    assert logits[0] - logits[1] == pytest.approx(margin, abs=1e-3)


def test_answers_count_alike_and_inputs_are_not_touched() -> None:
    out = token_logits([*FORGET_LOGITS, [0.0, 0.0, 1.0]], [*FORGET_TARGETS, 2], [0, 0, 1])
    labels = torch.tensor([1, 2, 0])
    each = losses([*FORGET_LOGITS, [0.0, 0.0, 1.0]], [1, 2, 0])
    assert random_label_loss(out, labels).item() == pytest.approx((each[:2].mean() + each[2]) / 2, abs=1e-6)
    assert out.targets.tolist() == [*FORGET_TARGETS, 2]


@pytest.mark.parametrize("fixed", [True, False])
def test_labels_are_drawn_once_or_anew(
    fixed: bool, fresh: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, set[tuple[int, ...]]] = {}

    def watched(out: TokenLogits, labels: torch.Tensor) -> torch.Tensor:
        seen.setdefault(len(labels), set()).add(tuple(labels.tolist()))
        return random_label_loss(out, labels)

    monkeypatch.setattr(random_labels, "random_label_loss", watched)
    RandomLabels(fixed=fixed).unlearn(fresh, data, Run(Recipe(learning_rate=0.0, steps=12, batch_size=1)))
    lengths = {len(one) for one in fresh.pair_logprobs(data.forget)}
    assert set(seen) == lengths
    if fixed:
        assert sum(map(len, seen.values())) <= 3
    else:
        assert sum(map(len, seen.values())) == 12


def test_the_forgotten_answers_end_near_uniform_and_the_others_are_kept(
    learned: LanguageModel, data: UnlearningData
) -> None:
    unlearned = RandomLabels().unlearn(learned.copy(), data, Run(Recipe(learning_rate=2e-3, steps=80, batch_size=8)))
    (out,) = unlearned.token_logits(unlearned.encode(data.forget))
    uniform = math.log(out.logits.shape[1])
    entropy = torch.distributions.Categorical(logits=out.logits.detach()).entropy()
    (before,) = learned.token_logits(learned.encode(data.forget))
    assert torch.distributions.Categorical(logits=before.logits.detach()).entropy().mean() < 0.1 * uniform
    assert entropy.mean() > 0.8 * uniform
    assert torch.cat(unlearned.pair_logprobs(data.retain)).mean() > -0.3


def test_the_retain_term_is_weighted(tiny: LanguageModel, data: UnlearningData) -> None:
    # The random part is the same with the same seed, so the difference is the retain loss alone.
    values = []

    class Watched(Run):
        def minimize(
            self, loss: Any, model: LanguageModel, data: UnlearningData, *_: Any, **more: Any
        ) -> LanguageModel:
            batch = Batch(model.encode(data.forget), model.encode(data.retain), None)
            values.append(loss(model, batch).item())
            return model

    for weight in (0.0, 1.0, 3.0):
        RandomLabels(retain_weight=weight).unlearn(tiny, data, Watched(Recipe(), seed=3))
    kept = float(np.mean([-float(one.mean()) for one in tiny.pair_logprobs(data.retain)]))
    assert values[1] - values[0] == pytest.approx(kept, rel=1e-4)
    assert values[2] - values[0] == pytest.approx(3 * kept, rel=1e-4)
