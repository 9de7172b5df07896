from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.slug import (
    SLUG,
    candidates,
    importance_and_alignment,
    least_step,
    mean_logprobs,
    pareto_front,
)
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, cosine, nll_gradient

SCORES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


def test_scores_and_front_are_the_hand_computed_ones() -> None:
    weights, forget, retain = (
        torch.tensor(rows)
        for rows in (
            [[3.0, 4.0], [1.0, 0.0], [2.0, 0.0]],
            [[1.0, 0.0], [0.6, 0.8], [0.3, 0.4]],
            [[0.0, 1.0], [0.8, 0.6], [1.0, 1.0]],
        )
    )
    scores = [importance_and_alignment(*rows) for rows in zip(weights, forget, -retain, strict=True)]
    assert_allclose(scores, [(0.2, 0), (1, 0.96), (0.25, 0.989949)], atol=1e-6)
    assert pareto_front(scores) == [0, 1]


@given(SCORES)
def test_whoever_is_not_on_the_front_is_outdone_by_somebody_on_it(scores: list[tuple[int, int]]) -> None:
    front = pareto_front([(float(more), float(less)) for more, less in scores])
    assert front

    def outdone(one: int, by: int) -> bool:
        return scores[by][0] > scores[one][0] and scores[by][1] < scores[one][1]

    for place in range(len(scores)):
        assert (place in front) != any(outdone(place, other) for other in front)


def test_the_search_doubles_then_halves() -> None:
    asked: list[float] = []

    def suffices(step: float) -> bool:
        asked.append(step)
        return step >= 0.7

    assert least_step(suffices, 0.5, 5) == (0.75, True)
    assert asked == [0.5, 1, 0.75, 0.625, 0.6875]
    assert least_step(lambda step: False, 0.5, 4) == (4, False)


@given(st.floats(0.01, 100), st.floats(0.1, 10))
def test_what_is_found_suffices_and_is_close_to_the_least(threshold: float, first: float) -> None:
    step, found = least_step(lambda step: step >= threshold, first, 20)
    assert found
    assert threshold <= step <= threshold + 0.01 * max(first, threshold)


def test_norms_embeddings_and_head_are_no_candidates(tiny: LanguageModel) -> None:
    named = dict(tiny.model.named_parameters())
    chosen = {name for name, weight in named.items() if id(weight) in candidates(tiny)}
    assert chosen == {name for name in named if "proj" in name}
    assert chosen


def test_one_matrix_moves_along_its_gradient_as_little_as_it_takes(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    def probability(model: LanguageModel) -> float:
        return float(mean_logprobs(model, data.forget).exp().mean())

    run = Run(Recipe())
    unlearned = SLUG(level=0.3).unlearn(memorized.copy(), data, run)
    gradient = nll_gradient(memorized.copy(), data.forget)
    changes = [
        (after.detach() - before.detach(), pull)
        for after, before, pull in zip(
            unlearned.model.parameters(), memorized.model.parameters(), gradient.parts, strict=True
        )
    ]
    ((change, pull),) = [one for one in changes if one[0].any()]
    assert float(cosine(change, pull)) == pytest.approx(1, abs=1e-4)
    assert 0.25 < probability(unlearned) <= 0.3 < probability(memorized)
    lost = [mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]
    assert lost[1] < lost[0]
    assert not run.notes


def test_what_cannot_be_reached_is_told(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe())
    SLUG(level=1e-9, trials=1, divisor=1e6).unlearn(memorized.copy(), data, run)
    assert run.notes == ["No single matrix could be moved so far that forget answers fall to 1e-09."]
