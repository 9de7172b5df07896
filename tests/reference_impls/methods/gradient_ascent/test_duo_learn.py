from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, gradient_of, token_logits

from reference_impls.methods.gradient_ascent.duo_learn import DuoLearn, dual_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, TokenLogits, UnlearningData


def of_losses(losses: list[float]) -> TokenLogits:
    """Two words, the first of which is the target, with these losses."""
    return token_logits([[-one, float(np.log1p(-np.exp(-one)))] for one in losses], [0] * len(losses))


LOSSES, BEFORE = [0.2, 3.0, 1.0, 0.1], torch.tensor([-1.2, -2.0, -1.1, -0.15])


@pytest.mark.parametrize(
    ("hard", "memorized", "weight", "value"),
    [
        (0.5, 0.25, 0.5, 1.45),  # (3 + 0.1) / 2 - 0.5 * 0.2
        (0.5, 0.5, 0.5, 1.55 - 0.5 * 0.6),
        (1.0, 0.25, 0.0, 1.075),  # plain training
        (0.0, 0.25, 1.0, -0.2),
        (0.0, 1.0, 1.0, -1.3 / 3),  # the second token is no better known than before
    ],
)
def test_hard_tokens_are_learned_and_memorized_ones_unlearned(
    hard: float, memorized: float, weight: float, value: float
) -> None:
    assert dual_loss(of_losses(LOSSES), BEFORE, hard, memorized, weight).item() == pytest.approx(value, abs=1e-5)


def test_only_chosen_tokens_have_gradients() -> None:
    out = of_losses(LOSSES)
    dual_loss(out, BEFORE, 0.25, 0.25, 2.0).backward()
    p = np.exp(-np.array(LOSSES))
    # Of the loss of a target of two: p - 1 by its logit; the second is learned, the first unlearned twice as much.
    assert_allclose(gradient_of(out.logits)[:, 0], [-2 * (p[0] - 1), p[1] - 1, 0, 0], atol=1e-5)


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=8), st.floats(0, 1))
def test_what_is_no_better_known_than_before_is_not_unlearned(losses: list[float], memorized: float) -> None:
    before = -torch.tensor(losses) + 1e-3
    assert dual_loss(of_losses(losses), before, 0.0, memorized, 3.0).item() == 0


def test_answers_fall_no_further_than_to_the_model_before(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    retrained = Run(Recipe(learning_rate=2e-3, steps=40, batch_size=8)).finetune(tiny.copy(), data.retain)
    run = replace(Run(Recipe(learning_rate=1e-3, steps=20, batch_size=3)), earlier=retrained.copy)
    unlearned = DuoLearn(memorized=0.4).unlearn(memorized.copy(), data, run)
    names = ("forget", "retain")
    start, end, never = (
        {name: float(answer_probabilities(model, getattr(data, name)).mean()) for name in names}
        for model in (memorized, unlearned, retrained)
    )
    assert end["forget"] < start["forget"] - 0.05
    assert end["retain"] > start["retain"] - 0.05
    assert end["forget"] > never["forget"] - 0.2
