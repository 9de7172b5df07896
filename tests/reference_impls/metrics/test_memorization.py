from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.metrics.memorization import (
    exact_memorization,
    extraction_likelihood,
    extraction_strength,
)

TRUE = (5, 6, 7, 8)


@pytest.mark.parametrize(
    ("predicted", "exact", "strength"),
    [
        ((5, 6, 7, 8), 1.0, 1.0),
        ((9, 6, 7, 8), 0.75, 0.75),
        ((5, 9, 7, 8), 0.75, 0.5),
        ((9, 9, 9, 8), 0.25, 0.25),
        ((5, 6, 7, 9), 0.75, 0.0),
        ((9, 9, 9, 9), 0.0, 0.0),
    ],
)
def test_exact_memorization_and_extraction_strength(predicted: tuple[int, ...], exact: float, strength: float) -> None:
    hits = [one == other for one, other in zip(predicted, TRUE, strict=True)]
    assert exact_memorization(hits) == exact
    assert extraction_strength(hits) == strength


@given(st.lists(st.booleans(), min_size=1))
def test_no_more_can_be_extracted_than_is_memorized(hits: list[bool]) -> None:
    assert 0 <= extraction_strength(hits) <= exact_memorization(hits) <= 1


@pytest.mark.parametrize("metric", [exact_memorization, extraction_strength])
def test_nothing_cannot_be_memorized(metric: Callable[[list[bool]], float]) -> None:
    with pytest.raises(ValueError, match="without tokens"):
        metric([])


def _greedy(text: tuple[int, ...], following: dict[int, int], n: int) -> list[list[int]]:
    continuations = []
    for length in range(1, len(text) - n + 1):
        last, said = text[length - 1], []
        for _ in range(len(text) - length):
            last = following[last]
            said.append(last)
        continuations.append(said)
    return continuations


@pytest.mark.parametrize(("n", "expected"), [(1, (3 / 4 + 2 / 3 + 1 / 2 + 1) / 4), (2, (1 / 3 + 0 + 0) / 3), (3, 0.0)])
def test_extraction_likelihood_by_hand(n: int, expected: float) -> None:
    text, following = (1, 2, 3, 4, 5), {1: 2, 2: 3, 3: 9, 9: 4, 4: 5, 5: 1}
    assert extraction_likelihood(text, _greedy(text, following, n), n) == pytest.approx(expected)


def test_a_copying_model_has_extraction_likelihood_1_and_repeated_ngrams_count() -> None:
    text = (1, 2, 3, 4, 5)
    assert extraction_likelihood(text, _greedy(text, {1: 2, 2: 3, 3: 4, 4: 5}, 2), 2) == 1.0
    assert extraction_likelihood((1, 7, 7, 7), [(7, 7, 7), (7, 7), (7,)], 1) == 1.0


def test_a_text_no_longer_than_the_ngrams_has_no_extraction_likelihood() -> None:
    with pytest.raises(ValueError, match="0 prefixes"):
        extraction_likelihood((1, 2), [], 2)
