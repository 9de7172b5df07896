from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.toolkit import Store

WORDS = st.lists(st.sampled_from(["ana", "bo", "cy", "dee"]), max_size=5).map(" ".join)


def test_cosines_are_the_hand_computed_ones() -> None:
    store = Store.of(["Ana Lund", "Bo Lund"])
    # Of two texts lund is in both and weighs ln 3/2; ana, bo and any word in neither weigh ln 3.
    common, rare = math.log(1.5) ** 2, math.log(3) ** 2
    nearest, other = store.similarities("LUND, Ana!")
    assert nearest == pytest.approx(1.0)
    assert other == pytest.approx(common / (common + rare))
    (asked, _) = store.similarities("Ana Reyes")
    assert asked == pytest.approx(rare / math.sqrt((common + rare) * 2 * rare))
    assert store.nearest("Ana Reyes") == (0, asked)


def test_words_of_other_texts_count_less_the_more_have_them() -> None:
    alone, among = Store.of(["born ana"]), Store.of(["born ana"], ["born bo", "born cy"])
    assert alone.similarities("ana") == [pytest.approx(math.sqrt(0.5))]
    assert among.similarities("ana")[0] > 0.9 > 0.5 > among.similarities("born")[0]
    assert among.texts == ["born ana"]


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=4), WORDS)
def test_similarities_are_cosines(texts: list[str], others: list[str], query: str) -> None:
    store = Store.of(texts, others)
    cosines = store.similarities(query)
    assert all(0 <= cosine <= 1 for cosine in cosines)
    for text, cosine in zip(texts, cosines, strict=True):
        same, shared = set(text.split()) == set(query.split()), set(text.split()) & set(query.split())
        assert cosine == (pytest.approx(1.0) if same and shared else pytest.approx(cosine))
        assert bool(shared) == (cosine > 0)


def test_an_empty_store_has_nothing_near() -> None:
    with pytest.raises(ValueError, match="empty"):
        Store.of([]).nearest("ana")
