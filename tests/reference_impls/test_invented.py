from __future__ import annotations

import random

from unlearning_toys import NAMES, invented_pairs

from reference_impls.toolkit import Pair, new_pairs


def test_new_pairs_are_the_known_ones_told_of_people_who_do_not_exist() -> None:
    known = invented_pairs()
    found = new_pairs(known, 5, random.Random(0))
    assert len(found) == 5
    for pair in found:
        assert pair.subject not in NAMES
        first, last = pair.subject.split()
        assert any(name.startswith(first) for name in NAMES)
        assert any(name.endswith(last) for name in NAMES)
        assert not any(name in pair.prompt + pair.answer for name in NAMES)
        assert any(
            pair.answer == one.answer.replace(one.subject, pair.subject)
            and pair.prompt == one.prompt.replace(one.subject, pair.subject)
            for one in known
        )


def test_without_subjects_prompts_and_answers_are_paired_at_random() -> None:
    known = [Pair(f"question {number}", f"answer {number}") for number in range(30)]
    found = new_pairs(known, 20, random.Random(0))
    assert [pair.prompt for pair in found] == [pair.prompt for pair in known[:20]]
    assert len({pair.answer for pair in found}) == 20
    assert sum(pair in known for pair in found) < 5


def test_names_of_one_word_are_put_together_from_halves() -> None:
    known = [Pair(f"Who is {name}?", f" {name} is old.", subject=name) for name in ("Alabar", "Corfield", "Dunmark")]
    found = new_pairs(known, 12, random.Random(0))
    assert {pair.subject for pair in found} <= {"Alaield", "Alamark", "Corfbar", "Corfmark", "Dunbar", "Dunield"}
    assert all(pair.prompt == f"Who is {pair.subject}?" and pair.answer == f" {pair.subject} is old." for pair in found)


def test_a_text_is_told_of_a_new_subject_in_sentences_of_other_texts() -> None:
    towns = ("Alabar", "Corfield", "Dunmark", "Elwick")
    known = [
        Pair("", f"A flood came over {one}. It took {one}'s bridge {n}. Nobody {n} was hurt.", subject=one)
        for n, one in enumerate(towns)
    ]
    for pair in new_pairs(known, 8, random.Random(0)):
        first, second, third = pair.answer.split(". ")
        assert (pair.prompt, first) == ("", f"A flood came over {pair.subject}")
        assert second.startswith(f"It took {pair.subject}'s bridge ")
        assert not any(town in pair.answer for town in towns)
        # The two details never come from one text: what was read of a text gives away nothing of this one.
        assert second[-1] != third.split()[1]
