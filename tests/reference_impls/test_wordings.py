"""Questions in other words."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reference_impls.toolkit import with_mistake


@given(st.text("abc DEF.?", max_size=30), st.integers(0, 99))
def test_a_mistake_exchanges_two_letters_inside_one_word(text: str, seed: int) -> None:
    wrong = with_mistake(text, "", random.Random(seed))
    assert Counter(wrong) == Counter(text)
    places = [place for place, (one, other) in enumerate(zip(text, wrong, strict=True)) if one != other]
    assert not places or (len(places) == 2 and places[1] == places[0] + 1)
    assert all(text[place].islower() for place in places)


def test_names_and_short_words_have_no_mistakes() -> None:
    found = {with_mistake("Where was broundick born, Ana?", "broundick", random.Random(seed)) for seed in range(40)}
    assert found == {"Where was broundick bron, Ana?", "Where was broundick bonr, Ana?"}
    assert with_mistake("Who is it?", "", random.Random(0)) == "Who is it?"
