from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.shred import SHRED, forget_places, shred_loss
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData

ROW = [2.0, 1.5, 0.0, -1.0]


def _known(probabilities: list[float], sequence: list[int]) -> TokenLogits:
    """Tokens of two words, of which the first is the true one and has such a probability."""
    return token_logits([[float(np.log(p / (1 - p))), 0.0] for p in probabilities], [0] * len(sequence), sequence)


@pytest.mark.parametrize(
    ("share", "skipped", "expected"),
    [
        (0.25, 0, [0, 1, 0, 0, 0, 1]),
        (0.5, 0, [0, 1, 0, 1, 0, 1]),
        (0.5, 2, [0, 0, 0, 1, 0, 0]),
        (1.0, 0, [1, 1, 1, 1, 1, 1]),
        (0.0, 0, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_the_least_likely_tokens_of_each_answer_are_to_be_forgotten(
    share: float, skipped: int, expected: list[int]
) -> None:
    before = _known([0.95, 0.2, 0.99, 0.4, 0.3, 0.1], [0, 0, 0, 0, 1, 1])
    assert forget_places(before, share, skipped).int().tolist() == expected


@pytest.mark.parametrize(("gone", "value"), [(True, 0.578272), (False, 0.0)])
def test_target_loss_and_gradient_are_the_hand_computed_ones(gone: bool, value: float) -> None:
    before, out = token_logits([ROW], [0]), token_logits([ROW], [0])
    loss = shred_loss(before, out, torch.tensor([gone]), top=4)
    assert loss.item() == pytest.approx(value, abs=1e-6)
    loss.backward()
    target = [0.059169, 0.720825, 0.160838, 0.059169] if gone else softmax(ROW)
    assert_allclose(gradient_of(out.logits)[0], softmax(ROW) - target, atol=1e-6)


@given(st.lists(st.integers(-8, 8), min_size=6, max_size=6, unique=True), st.integers(0, 5), st.integers(2, 6))
def test_the_true_token_is_always_among_the_top_and_others_do_not_count(row: list[int], true: int, top: int) -> None:
    before, out = (token_logits([list(map(float, one))], [true]) for one in (row, row[::-1]))
    others = [place for place in np.argsort(row)[::-1] if place != true][: top - 1]
    chosen = [true, *others]
    then = np.array(row, dtype=float)[chosen]
    then[0] = then.min()
    p, q = softmax(then), softmax(np.array(row[::-1])[chosen])
    loss = shred_loss(before, out, torch.tensor([True]), top)
    assert loss.item() == pytest.approx(float((p * np.log(p / q)).sum()), abs=1e-4)
    loss.backward()
    assert bool((gradient_of(out.logits)[0, [place for place in range(6) if place not in chosen]] == 0).all())


def test_without_forget_places_nothing_moves(tiny: LanguageModel, data: UnlearningData) -> None:
    before = tiny.copy().frozen()
    loss = SHRED(share=0.0).loss(tiny, Batch(tiny.encode(data.forget), Encoded.empty(tiny.device), before))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_surprising_tokens_go_the_others_of_the_answer_stay_and_so_does_the_rest(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = memorized.encode(data.forget)
    with torch.no_grad():
        (before,) = memorized.token_logits(batch)
        places = forget_places(before, 0.2, 0)
        after = SHRED(share=0.2, top=5).unlearn(
            memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=20, batch_size=3))
        )
        (now,) = after.token_logits(batch)
    lost = before.token_logprobs() - now.token_logprobs()
    assert float(lost[places].mean()) > 0.7
    assert float(lost[~places].mean()) < 0.3 * float(lost[places].mean())
    assert mean_logprob(memorized, data.retain) - mean_logprob(after, data.retain) < 0.5 * float(lost[places].mean())
