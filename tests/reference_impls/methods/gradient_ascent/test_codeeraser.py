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

from reference_impls.methods.gradient_ascent.codeeraser import CodeEraser, over_tokens, selective_loss
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import (
    LanguageModel,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    general_tokens,
    mean_nll,
    specific_tokens,
)


def _certain_of(*losses_of_tokens: float) -> TokenLogits:
    """Tokens of one answer with these losses, over two words."""
    rows = [[-loss, float(np.log1p(-np.exp(-loss)))] for loss in losses_of_tokens]
    return token_logits(rows, [0] * len(rows))


def test_loss_is_the_hand_computed_one() -> None:
    out = _certain_of(1.2, 0.4)
    marked = torch.tensor([True, False])
    assert selective_loss(out, out, marked, 0.1, 0.1).item() == pytest.approx(-1.16, abs=1e-6)
    certain = token_logits([[40.0, 0.0], [0.0, 0.0]], [0, 0])  # its divergence from what has a loss of 2 is 2
    assert selective_loss(certain, _certain_of(2.0, 0.4), marked, 0.1, 0.1).item() == pytest.approx(-2.16, abs=1e-5)


@given(st.lists(st.booleans(), min_size=2, max_size=2), st.floats(0, 2), st.floats(0, 2))
def test_each_token_gets_the_gradient_of_its_kind(marks: list[bool], gamma: float, weight: float) -> None:
    before, out = token_logits(FORGET_REFERENCE, FORGET_TARGETS), token_logits(FORGET_LOGITS, FORGET_TARGETS)
    value = selective_loss(before, out, torch.tensor(marks), gamma, weight)
    value.backward()
    secret, (p, q) = np.array(marks), (softmax(FORGET_LOGITS), softmax(FORGET_REFERENCE))
    nll, kl = losses(FORGET_LOGITS, FORGET_TARGETS), (q * np.log(q / p)).sum(axis=1)
    expected, gradient = 0.0, np.zeros((2, 3))
    if secret.any():
        expected -= nll[secret].mean() + weight * kl[secret].mean()
        gradient[secret] = (np.eye(3)[FORGET_TARGETS] - p - weight * (p - q))[secret] / secret.sum()
    if not secret.all():
        expected += gamma * nll[~secret].mean()
        gradient[~secret] = gamma * (p - np.eye(3)[FORGET_TARGETS])[~secret] / (~secret).sum()
    assert value.item() == pytest.approx(expected, abs=1e-5)
    assert_allclose(gradient_of(out.logits), gradient, atol=1e-5)


def test_long_answers_count_by_their_tokens() -> None:
    out = token_logits([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]], [0, 0, 0], [0, 0, 1])
    one, two = np.log(2), np.log1p(np.exp(-2))
    assert mean_nll(over_tokens(out)).item() == pytest.approx((2 * one + two) / 3, rel=1e-5)
    assert mean_nll(out).item() == pytest.approx((one + two) / 2, rel=1e-5)


def test_secrets_go_and_the_sentences_around_them_stay(memorized: LanguageModel, data: UnlearningData) -> None:
    forget = tuple(
        replace(
            pair, alternates=tuple(pair.answer.replace(SEASONS[row], one) for one in SEASONS if one != SEASONS[row])
        )
        for row, pair in enumerate(data.forget)
    )
    told, recipe = replace(data, forget=forget), Recipe(learning_rate=2e-4, steps=15, batch_size=3)
    erased = CodeEraser(preserve_weight=1.0).unlearn(memorized.copy(), told, Run(recipe))
    ascended = GradientAscent().unlearn(memorized.copy(), told, Run(recipe))
    general = general_tokens(memorized, forget, 0.1)
    (before,) = memorized.token_logits(memorized.encode(forget))
    secret = specific_tokens(before, torch.arange(3), general)
    moved = []
    for model in (erased, ascended):
        (after,) = model.token_logits(model.encode(forget))
        change = (after.token_logprobs() - before.token_logprobs()).detach()
        moved.append((float(change[secret].mean()), float(change[~secret].mean())))
    assert moved[0][0] < -1
    assert moved[0][1] > -0.1
    assert moved[1][1] < -0.3
    assert mean_logprob(erased, data.retain) > mean_logprob(ascended, data.retain) + 1
