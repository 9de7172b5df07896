from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, hooks, mean_logprob

from reference_impls.methods.preference_optimization.eru import ERU, Standing, elastic_loss, features, without
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, changed_output, with_refusals

NUMBERS = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


def test_margin_and_loss_are_the_hand_computed_ones() -> None:
    r"""Refusal -1.2 and truth -.4 per token, before -2.0 and -.1: $\Delta$ = -.8, $M$ = -.8 + 1.9 = 1.1."""
    gap = torch.tensor([-0.8], dtype=torch.float64, requires_grad=True)
    ahead = torch.tensor([-0.8 - (-2.0 + 0.1)], dtype=torch.float64)
    standing = Standing(mean=0.5, deviation=0.4)
    target = 0.3 + 0.1 * standing.of(ahead)
    assert_allclose(target, [0.45], atol=1e-12)
    value = elastic_loss(gap, target, 2.5)
    assert value.item() == pytest.approx(3.167999, abs=1e-6)
    assert elastic_loss(gap, torch.tensor([0.3]), 2.5).item() == pytest.approx(2.811968, abs=1e-6)  # rigid: SimPO
    value.backward()
    assert float(gradient_of(gap)) == pytest.approx(-2.5 / (1 + np.exp(-2.5 * 1.25)), abs=1e-9)


@given(NUMBERS, st.floats(-3, 3))
def test_no_gradient_flows_through_the_margin(numbers: list[float], target: float) -> None:
    gap = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    elastic_loss(gap, target + gap, 2.0).backward()  # as if the margin hung on the gap
    expected = -2.0 / (1 + np.exp(-2.0 * target)) / 3
    assert_allclose(gradient_of(gap), [expected] * 3, atol=1e-9)


def test_running_moments_begin_at_nothing_and_take_a_tenth_of_each_batch() -> None:
    standing = Standing()
    for values in ([1.0, 3.0], [2.0, 2.0]):
        standing.take(torch.tensor(values))
    assert standing.mean == pytest.approx(0.1 * 2 * 0.9 + 0.1 * 2)
    assert standing.deviation == pytest.approx(0.1 * np.std([1, 3], ddof=1) * 0.9)
    alone = Standing()
    alone.take(torch.tensor([4.0]))
    assert_allclose(alone.of(torch.tensor([0.401])), [1.0], atol=1e-3)  # with the least deviation, and no NaN


@given(NUMBERS, NUMBERS)
def test_nothing_is_left_along_the_feature_and_nothing_else_is_lost(state: list[float], feature: list[float]) -> None:
    h, r = (torch.tensor(one, dtype=torch.float64) for one in (state, feature))
    found = without(h, r)
    if np.linalg.norm(feature) < 1e-3:
        return
    expected = np.array(state) - np.dot(state, feature) / np.dot(feature, feature) * np.array(feature)
    assert_allclose(found, expected, atol=1e-9)
    assert_allclose(without(found, 3 * r), found, atol=1e-9)


def test_the_feature_is_the_difference_of_states_where_the_prompts_end(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    (found,) = features(tiny, [tiny.blocks[1]], batch)
    ends = []
    for pairs in (data.forget, data.retain):
        rows = []
        for pair in pairs:  # each alone, so that there is no padding
            alone = tiny.encode([pair])
            with torch.no_grad():
                (out,) = tiny.outputs(alone, [tiny.blocks[1]])
            first = int((alone.labels[0] != -100).nonzero()[0])
            rows.append(np.asarray(out[0, first - 1]))
        ends.append(np.mean(rows, axis=0))
    assert_allclose(found, ends[0] - ends[1], atol=1e-4)


def test_the_refusal_wins_with_and_without_the_feature_and_no_hook_is_left(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    start = memorized.copy()
    before = hooks(start.model)
    recipe = Recipe(learning_rate=2e-3, steps=10, batch_size=3)
    after = ERU(refusals=1, ablated=1.0, retain_weight=5.0).unlearn(start, data, Run(recipe))
    assert hooks(after.model) == before
    assert mean_logprob(after, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(after, data.retain) > mean_logprob(memorized, data.retain) - 0.5
    refused = with_refusals(data, random.Random(0), 1).forget
    wins = [replace(pair, answer=pair.alternates[0]) for pair in refused]
    batch = Batch(after.encode(data.forget), after.encode(data.retain), None)
    blocks = list(after.blocks)
    for directions in ([], features(after, blocks, batch)):
        with ExitStack() as stack, torch.no_grad():
            for block, r in zip(blocks, directions, strict=False):
                stack.enter_context(changed_output(block, partial(without, direction=r)))
            refusal, truth = after.token_logits(after.encode(wins), batch.forget)
        assert bool((refusal.sequence_nll() < truth.sequence_nll()).all())
