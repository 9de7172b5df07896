from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_REFERENCE,
    RETAIN_TARGETS,
    fingerprint,
    gradient_of,
    losses,
    mean_logprob,
    softmax,
    token_logits,
)

from reference_impls.methods.task_arithmetic.sku import SKU, bad_loss
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    mean_kl,
    subtract_task_vector,
    task_vector,
    with_answers_of_others,
)

RECIPE = Recipe(learning_rate=1e-3, steps=8)


@pytest.mark.parametrize("weights", [(0.5, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 3.0)])
def test_the_bad_models_loss_is_the_formula_and_the_divergence_is_driven_up(
    weights: tuple[float, float, float],
) -> None:
    own, others = token_logits(FORGET_LOGITS, FORGET_TARGETS), token_logits(FORGET_LOGITS, [1, 2])
    normal, before = (token_logits(rows, RETAIN_TARGETS) for rows in (RETAIN_LOGITS, RETAIN_REFERENCE))
    value = bad_loss(own, others, normal, before, weights)
    value.backward()
    p, q = softmax(RETAIN_REFERENCE)[0], softmax(RETAIN_LOGITS)[0]
    distortion, disassociation, divergence = weights
    by_formula = (
        distortion * losses(FORGET_LOGITS, FORGET_TARGETS).mean()
        + disassociation * losses(FORGET_LOGITS, [1, 2]).mean()
        - divergence * float(np.sum(p * np.log(p / q)))
    )
    assert value.item() == pytest.approx(by_formula, abs=1e-6)
    assert_allclose(gradient_of(normal.logits)[0], divergence * (p - q), atol=1e-6)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6))
def test_no_prompt_gets_its_own_answer_where_there_is_another(answers: list[str]) -> None:
    pairs = tuple(Pair(f"{row}?", answer) for row, answer in enumerate(answers))
    for pair, mixed in zip(pairs, with_answers_of_others(pairs), strict=True):
        assert replace(mixed, alternates=()) == pair
        assert set(mixed.alternates) == (set(answers) - {pair.answer} or {pair.answer})


def test_with_the_forget_answers_alone_it_is_the_negated_task_vector(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=3)  # a batch is the whole forget set, so its order does not matter
    alone = SKU(distortion_weight=1.0, disassociation_weight=0.0, retain_weight=0.0, scale=0.7)
    one = alone.unlearn(tiny.copy(), data, Run(recipe))
    other = TaskVector(scale=0.7).unlearn(tiny.copy(), data, Run(recipe))
    for pairs in (data.forget, data.retain):
        assert mean_logprob(one, pairs) == pytest.approx(mean_logprob(other, pairs), abs=1e-3)


def test_a_scale_of_zero_changes_nothing(tiny: LanguageModel, data: UnlearningData) -> None:
    unlearned = SKU(scale=0.0).unlearn(tiny.copy(), data, Run(Recipe(learning_rate=1e-3, steps=2)))
    assert fingerprint(unlearned.model) == fingerprint(tiny.model)


def _divergence(before: LanguageModel, model: LanguageModel, pairs: tuple[Pair, ...]) -> float:
    encoded = before.encode(pairs)
    with torch.no_grad():
        return float(mean_kl(*before.token_logits(encoded), *model.token_logits(encoded)))


def _bad(start: LanguageModel, unlearned: LanguageModel, length: float = 1.0) -> LanguageModel:
    """The model on the other side of the start, from which the unlearned one walked back with a scale of 1."""
    bad = start.copy()
    subtract_task_vector(bad.model, task_vector(start.model, unlearned.model), length)
    return bad


def test_the_bad_model_mixes_up_answers_and_drifts_and_the_negated_one_forgets(
    learned: LanguageModel, data: UnlearningData
) -> None:
    mixed_up = tuple(replace(pair, answer=pair.alternates[0]) for pair in with_answers_of_others(data.forget))
    unlearned = SKU().unlearn(learned.copy(), data, Run(RECIPE))
    bad = _bad(learned, unlearned)
    near = _bad(learned, SKU(retain_weight=0.0).unlearn(learned.copy(), data, Run(RECIPE)))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget)
    assert mean_logprob(bad, mixed_up) > mean_logprob(learned, mixed_up)
    assert _divergence(learned, bad, data.retain) > _divergence(learned, near, data.retain)
    # To second order the divergence is the same both ways.
    there, back = (_divergence(learned, _bad(learned, unlearned, one), data.retain) for one in (0.02, -0.02))
    assert there > 0
    assert back == pytest.approx(there, rel=0.3)
