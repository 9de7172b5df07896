from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, gradient_of, losses, mean_logprob, token_logits

from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.methods.gradient_ascent.sga_tau import SGATAU, selective_ascent_loss
from reference_impls.toolkit import (
    LanguageModel,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    memorization_accuracy,
    subtract_task_vector,
    task_vector,
)

RECIPE = Recipe(learning_rate=1e-3, steps=30)


def texts(*known: list[bool]) -> TokenLogits:
    """Texts of tokens that are the likeliest of three, or not."""
    rows = [[2.0, 1.0, 0.0] if one else [0.0, 3.0, 1.0] for text in known for one in text]
    return token_logits(rows, [0] * len(rows), [row for row, text in enumerate(known) for _ in text])


@pytest.mark.parametrize(
    ("memorized", "chosen"), [(0.7, [0]), (0.5, [0, 1]), (0.0, [0, 1, 2]), (1.0, [0])], ids=lambda value: str(value)
)
def test_texts_that_are_known_well_enough_are_ascended_on(memorized: float, chosen: list[int]) -> None:
    """Of accuracies 3/4, 1/2 and 0; at 1, where none has as much, the first has the most."""
    known = [[True, True, True, False], [True, False], [False, False]]
    out = texts(*known)
    loss = selective_ascent_loss(out, memorized)
    loss.backward()
    each = losses([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]], [0, 0])
    means = [np.mean([each[0 if one else 1] for one in text]) for text in known]
    assert loss.item() == pytest.approx(-np.mean([means[row] for row in chosen]), abs=1e-6)
    reached = set(out.sequence[gradient_of(out.logits).abs().sum(dim=1) > 0].tolist())
    assert reached == set(chosen)


def test_selecting_all_without_an_end_is_gradient_ascent(learned: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-4, steps=3)
    selective = SGATAU(memorized=0.0, switch_below=0.0, scale=0.0).unlearn(learned.copy(), data, Run(recipe))
    plain = GradientAscent().unlearn(learned.copy(), data, Run(recipe))
    for one, other in zip(selective.model.parameters(), plain.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_each_part_ends_where_its_threshold_is_passed(learned: LanguageModel, data: UnlearningData) -> None:
    ascended = Run(RECIPE)
    sga = SGATAU(switch_below=0.8, scale=0.0).unlearn(learned.copy(), data, ascended)
    assert ascended.stopped is not None
    assert memorization_accuracy(sga, data.forget) < 0.8
    both = Run(RECIPE)
    tau = SGATAU(switch_below=0.8, stop_below=0.5).unlearn(learned.copy(), data, both)
    assert both.stopped is not None
    assert memorization_accuracy(tau, data.forget) < 0.5
    assert mean_logprob(tau, data.forget) < mean_logprob(sga, data.forget)


def test_what_comes_out_is_walked_back_from_where_ascent_ended(learned: LanguageModel, data: UnlearningData) -> None:
    """Nothing to ascend on: it is the negated task vector of the recipe's steps."""
    run = Run(Recipe(learning_rate=1e-3, steps=2))
    tau = SGATAU(switch_below=1.0, stop_below=0.0, scale=0.5)
    start = SGATAU(switch_below=1.0, scale=0.0).unlearn(learned.copy(), data, Run(run.recipe))
    walked = tau.unlearn(learned.copy(), data, run)
    assert run.stopped is None
    further = start.copy()
    subtract_task_vector(further.model, task_vector(start.model, walked.model), 1.0)
    assert mean_logprob(walked, data.forget) < mean_logprob(start, data.forget)
    assert mean_logprob(further, data.forget) > mean_logprob(start, data.forget)
    assert fingerprint(walked.model) != fingerprint(start.model)
