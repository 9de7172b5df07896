from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.relabeling.palu import PALU, flattening_loss, prefixes
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    general_tokens,
    specific_tokens,
)

rows = st.lists(st.integers(-20, 20).map(lambda x: x / 4), min_size=5, max_size=5, unique=True)


def test_loss_and_gradient_of_the_likeliest_logit_are_the_hand_computed_ones() -> None:
    out, before = (token_logits([[5.0, 1.0, 0.0, -2.0]], [1]) for _ in range(2))
    value = flattening_loss(out, before, 0.25)
    value.backward()
    assert value.item() == pytest.approx(16.0)
    assert_allclose(gradient_of(out.logits)[0], (6.0, -2.0, -2.0, -2.0), atol=1e-6)


@given(rows, rows, st.integers(1, 5))
def test_it_is_the_mean_square_over_what_was_likeliest_before(now: list[float], then: list[float], k: int) -> None:
    value = flattening_loss(token_logits([now], [0]), token_logits([then], [0]), k / 5).item()
    likeliest = np.argsort(then)[::-1][:k]
    away = np.array(now) - np.mean(now)
    assert value == pytest.approx(float((away[likeliest] ** 2).mean()), abs=1e-4)
    if k == 5:
        assert value == pytest.approx(float(np.var(now)), abs=1e-4)


def test_what_is_flattened_alone_is_handed_to_the_next_in_line() -> None:
    ends = {}
    for share in (0.25, 1.0):
        row = [5.0, 3.0, 0.0, -2.0]
        for _ in range(400):
            out = token_logits([row], [0])
            (gradient,) = torch.autograd.grad(
                flattening_loss(out, token_logits([[5.0, 3.0, 0.0, -2.0]], [0]), share), out.logits
            )
            row = [x - 0.1 * float(g) for x, g in zip(row, gradient[0], strict=True)]
        ends[share] = softmax(row)
    assert ends[0.25].argmax() == 1
    assert ends[0.25][1] > 0.7
    assert_allclose(ends[1.0], [0.25] * 4, atol=1e-3)


@pytest.mark.parametrize(
    ("length", "chosen"), [(0, "111 11 1"), (1, "1   1  1"), (2, "11  11 1"), (3, "111 11 1"), (9, "111 11 1")]
)
def test_the_prefixes_of_spans(length: int, chosen: str) -> None:
    sensitive, sequence = "111 11 1", [0, 0, 0, 0, 0, 0, 1, 1]
    found = prefixes([one == "1" for one in sensitive], sequence, length)
    assert "".join("1" if one else " " for one in found) == chosen


def test_a_span_does_not_go_on_in_the_next_answer() -> None:
    assert prefixes([True] * 4, [0, 0, 1, 1], 1) == [True, False, True, False]


def _told(data: UnlearningData) -> tuple[Pair, ...]:
    """The forget pairs with the other three seasons for alternates."""
    return tuple(
        replace(
            pair, alternates=tuple(pair.answer.replace(SEASONS[row], one) for one in SEASONS if one != SEASONS[row])
        )
        for row, pair in enumerate(data.forget)
    )


def test_loss_of_a_model_is_the_formula(tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData) -> None:
    told, method = _told(data), PALU(prefix=1, top=0.02, forget_weight=0.5, retain_weight=2.0)
    general = general_tokens(tiny, told, 0.1)
    batch = Batch(memorized.encode(told), memorized.encode(data.retain), tiny)
    with torch.no_grad():
        value = method.loss(memorized, batch, general).item()
        (now,), (then,) = (one.token_logits(batch.forget) for one in (memorized, tiny))
    sensitive = specific_tokens(now, batch.forget.rows, general).numpy()
    logits, known = now.logits.double().numpy(), then.logits.double().numpy()
    away, held = [], []
    for row in range(len(told)):
        mine = np.flatnonzero(now.sequence.numpy() == row)
        first = next(place for place in mine if sensitive[place])
        likeliest = np.argsort(-known[first])[: round(0.02 * known.shape[1])]
        away.append(((logits[first] - logits[first].mean())[likeliest] ** 2).mean())
        p, q = softmax(logits[mine[~sensitive[mine]]]), softmax(known[mine[~sensitive[mine]]])
        held.append((p * np.log(p / q)).sum(axis=1).mean())
    kept = np.mean([-float(one.mean()) for one in memorized.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(0.5 * np.mean(away) + 2 * (kept + np.mean(held))), rel=1e-3)


def test_what_is_sensitive_goes_and_the_rest_of_the_sentence_stays(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    told = replace(data, forget=_told(data))
    recipe = Recipe(learning_rate=5e-4, steps=15, batch_size=3)
    unlearned = PALU(prefix=1, retain_weight=1.0).unlearn(memorized.copy(), told, Run(recipe))
    general = general_tokens(memorized, told.forget, 0.1)
    (before,), (after,) = (one.token_logits(one.encode(told.forget)) for one in (memorized, unlearned))
    sensitive = specific_tokens(after, torch.arange(3), general)
    first = torch.tensor(prefixes(sensitive.tolist(), after.sequence.tolist(), 1))
    moved = (after.token_logprobs() - before.token_logprobs()).detach()
    assert moved[first].max() < -3
    assert moved[~sensitive].mean() > -0.3
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.8
