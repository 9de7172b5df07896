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
    FORGET_REFERENCE,
    FORGET_TARGETS,
    SEASONS,
    gradient_of,
    losses,
    mean_logprob,
    softmax,
    token_logits,
)

from reference_impls.methods.preference_optimization.tif import TIF, tpo_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, general_tokens


@pytest.mark.parametrize(("fallen", "value"), [(0.0, 4.332170), (3.0, 2.026110)])
def test_the_first_term_is_the_hand_computed_one(fallen: float, value: float) -> None:
    before = token_logits([[5.0, 0.0]], [0])
    found = tpo_loss(token_logits([[5.0 - fallen, 0.0]], [0]), before, torch.tensor([True]), 0.32)
    assert found.item() == pytest.approx(value, abs=1e-5)


@given(st.lists(st.booleans(), min_size=2, max_size=2), st.floats(0.1, 5))
def test_each_token_gets_the_gradient_of_its_kind(unwanted: list[bool], beta: float) -> None:
    out, before = token_logits(FORGET_LOGITS, FORGET_TARGETS), token_logits(FORGET_REFERENCE, FORGET_TARGETS)
    value = tpo_loss(out, before, torch.tensor(unwanted), beta)
    value.backward()
    marked = np.array(unwanted)
    fallen = (np.array(FORGET_REFERENCE) - FORGET_LOGITS)[np.arange(2), FORGET_TARGETS]
    mean = fallen[marked].mean() if marked.any() else 0.0
    kept = losses(FORGET_LOGITS, FORGET_TARGETS)[~marked].sum()
    assert value.item() == pytest.approx(2 / beta * np.logaddexp(0, -beta * mean) + kept, rel=1e-5)
    answers = np.eye(3)[FORGET_TARGETS]
    pull = 2 / (1 + np.exp(beta * mean)) / max(1, marked.sum()) * answers
    assert_allclose(
        gradient_of(out.logits), np.where(marked[:, None], pull, softmax(FORGET_LOGITS) - answers), atol=1e-5
    )


def test_unwanted_tokens_lose_their_probability_and_the_others_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    forget = tuple(
        replace(
            pair, alternates=tuple(pair.answer.replace(SEASONS[row], one) for one in SEASONS if one != SEASONS[row])
        )
        for row, pair in enumerate(data.forget)
    )
    told = replace(data, forget=forget)
    unlearned = TIF().unlearn(memorized.copy(), told, Run(Recipe(learning_rate=5e-4, steps=15, batch_size=3)))
    general = general_tokens(memorized, forget, 0.1)
    (before,), (after,) = (one.token_logits(one.encode(forget)) for one in (memorized, unlearned))
    rows = after.sequence.tolist()
    marked = torch.tensor([token not in general[row] for token, row in zip(after.targets.tolist(), rows, strict=True)])
    assert 3 <= int(marked.sum()) < len(marked) / 2
    moved = (after.token_logprobs() - before.token_logprobs()).detach()
    assert moved[marked].mean() < -1
    assert moved[~marked].mean() > -0.2
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
