from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.selective_pruning import (
    IMPORTANCES,
    SelectivePruning,
    importances,
    scores,
    totals,
)
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, memories

VALUES = st.lists(st.floats(-10, 10), min_size=1, max_size=6)


def _importance(kind: str, values: list[float]) -> float:
    activations = torch.tensor(values, dtype=torch.float64)[:, None]
    return float(IMPORTANCES[kind](*(totals(activations) / len(values))))


@pytest.mark.parametrize(("kind", "expected"), [("abs", 1.999980), ("rms", 2.236046), ("std", 1e5), ("freq", 0.999990)])
def test_the_score_is_the_hand_computed_one(kind: str, expected: float) -> None:
    # z is 1 and 3 on what is forgotten, 1 and 1 on what is kept, so that its deviation there is 0
    forgotten, kept = (torch.tensor([_importance(kind, values)]) for values in ([1.0, 3.0], [1.0, 1.0]))
    (found,) = scores([forgotten], [kept], [torch.tensor([False])])
    assert float(found) == pytest.approx(expected, rel=1e-6)


@given(VALUES)
def test_importances_are_those_of_numpy(values: list[float]) -> None:
    seen = np.array(values)
    expected = {
        "abs": np.abs(seen).mean(),
        "rms": np.sqrt((seen**2).mean()),
        "std": seen.std(),
        "freq": (seen > 0).mean(),
    }
    assert {kind: _importance(kind, values) for kind in IMPORTANCES} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", list(IMPORTANCES))
def test_what_is_counted_are_tokens_and_no_padding(kind: str, tiny: LanguageModel, data: UnlearningData) -> None:
    layers = memories(tiny, [0, 3])
    rows: list[list[np.ndarray]] = [[], []]
    for pair in data.forget:  # one by one, so that nothing is padded
        for layer, seen in zip(layers, rows, strict=True):
            seen.append(layer.keys(tiny, tiny.encode([pair]))[0].numpy())
    for found, seen in zip(importances(tiny, layers, data.forget, kind), rows, strict=True):
        values = torch.from_numpy(np.concatenate(seen))
        assert_allclose(found, IMPORTANCES[kind](*(totals(values) / len(values))), rtol=1e-3, atol=1e-5)


def test_each_round_takes_out_its_share_and_none_twice(memorized: LanguageModel, data: UnlearningData) -> None:
    before = memorized.down_projections(range(4))
    count = sum(weight.shape[1] for weight in before)
    for rounds in (1, 3):
        pruned = SelectivePruning(share=0.05, rounds=rounds).unlearn(memorized.copy(), data, Run(Recipe()))
        after = pruned.down_projections(range(4))
        changed = [(one != other).any(dim=0) for one, other in zip(before, after, strict=True)]
        assert sum(int(one.sum()) for one in changed) == rounds * round(0.05 * count)
        assert not any(weight[:, one].any() for weight, one in zip(after, changed, strict=True))


def test_cutting_the_weights_is_silencing_the_neurons(memorized: LanguageModel, data: UnlearningData) -> None:
    pruned = SelectivePruning(share=0.05).unlearn(memorized.copy(), data, Run(Recipe()))
    (layer,) = memories(memorized, [1])
    (changed,) = pruned.down_projections([1])
    stays = (changed != 0).any(dim=0)
    whole = pruned.copy()
    with torch.no_grad():
        whole.down_projections([1])[0].copy_(layer.weight)
    batch = whole.encode(data.forget)
    (muted,) = memories(whole, [1])
    with torch.no_grad(), muted.given(lambda keys: keys * stays, batch):
        (by_hook,) = whole.token_logits(batch)
    with torch.no_grad():
        (by_weights,) = pruned.token_logits(batch)
    assert_allclose(by_hook.logits, by_weights.logits, atol=1e-5)


def test_what_is_forgotten_falls_further_than_what_is_kept_and_than_by_lot(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    method = SelectivePruning(share=0.05, rounds=2)
    losses = []
    for pruned in (method.unlearn(memorized.copy(), data, Run(Recipe())), _by_lot(memorized, 0.1)):
        losses.append([mean_logprob(memorized, one) - mean_logprob(pruned, one) for one in (data.forget, data.retain)])
    (forgotten, harmed), (by_lot, _) = losses
    assert forgotten > harmed
    assert forgotten > by_lot


def _by_lot(model: LanguageModel, share: float) -> LanguageModel:
    """A copy without a share of its neurons, drawn by lot."""
    pruned, generator = model.copy(), torch.Generator().manual_seed(0)
    for layer in memories(pruned, range(4)):
        layer.silence(torch.rand(layer.weight.shape[1], generator=generator) < share)
    return pruned
