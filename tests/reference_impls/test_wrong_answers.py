from __future__ import annotations

from reference_impls.toolkit import Pair, most_alike


def test_neighbours_are_the_kept_texts_that_share_most_words() -> None:
    forget = [Pair("Where was Ana born?", " In Oslo."), Pair("What does Ana write?", " Poems.")]
    kept = [Pair("What does Bo write?", " Plays."), Pair("Where was Bo born?", " In Rome."), Pair("Who?", " Bo.")]
    assert most_alike(forget, kept, 1) == [[kept[1]], [kept[0]]]
    assert most_alike(forget, kept, 2) == [[kept[1], kept[0]], [kept[0], kept[1]]]
    assert most_alike([Pair("", "Nothing like it")], kept, 5) == [kept]  # of those that are as far the first


def test_without_a_count_or_without_texts_there_are_none() -> None:
    pair = Pair("Who?", " Bo.")
    assert most_alike([pair], [pair], 0) == [[]]
    assert most_alike([pair], [], 3) == [[]]
