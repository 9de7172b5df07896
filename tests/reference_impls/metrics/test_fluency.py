from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impls.metrics.fluency import known_word_pairs, ngram_entropy, pairs_of, word_pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a b c d e", 1.723308), ("a a a a a", 0.0), ("a b a b a b", 0.990317), ("a b", 0.0), ("", 0.0)],
)
def test_ngram_entropy_by_hand(text: str, expected: float) -> None:
    assert ngram_entropy(text.split()) == pytest.approx(expected, abs=1e-6)


CORPUS = pairs_of(["Question: Where was Ana Lund born?"], ["Ana Lund was born in Oslo.", " In spring."])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ana Lund was born in Oslo.", 1.0),
        ("In SPRING!", 1.0),
        ("Ana Lund was born in spring.", 1.0),  # each pair is known, though the sentence is new
        ("Where was Ana Lund born?", 4 / 5),  # as in the prompt, but no answer begins with "where"
        ("Ana born Oslo in Lund was", 1 / 6 + 1 / 6),  # in a random order: the beginning, and "Lund was"
        ("Oslo Oslo Oslo Oslo", 0.0),
        ("", 0.0),
        (" ... !", 0.0),
    ],
)
def test_known_word_pairs_by_hand(text: str, expected: float) -> None:
    assert known_word_pairs(text, CORPUS) == pytest.approx(expected)


def test_a_word_pair_knows_no_case_and_punctuation_and_begins_with_the_beginning() -> None:
    assert word_pairs('Ana\'s well-known book, "Oslo".') == [
        ("", "ana's"),
        ("ana's", "well-known"),
        ("well-known", "book"),
        ("book", "oslo"),
    ]


@given(st.lists(st.text(), min_size=1, max_size=5), st.text())
def test_what_is_in_the_corpus_is_known_and_everything_is_a_share(corpus: list[str], other: str) -> None:
    known = pairs_of([], corpus)
    assert all(known_word_pairs(text, known) == 1.0 for text in corpus)
    assert 0.0 <= known_word_pairs(other, known) <= 1.0
