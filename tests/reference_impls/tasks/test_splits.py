"""Parts of a forget set."""

from __future__ import annotations

from reference_impls.running.registry import find_task
from reference_impls.toolkit import LanguageModel, Pair, Splits


def _of(*subjects: str) -> tuple[Pair, ...]:
    return tuple(Pair(f"{subject}?", f" {number}", subject=subject) for number, subject in enumerate(subjects))


def test_a_part_holds_whole_subjects_in_their_order() -> None:
    splits = Splits(forget=_of("a", "b", "a", "c", "d"), retain=_of("e"))
    assert [pair.subject for pair in splits.part(0, 0.5).forget] == ["a", "b", "a"]
    assert [pair.subject for pair in splits.part(0.5, 1).forget] == ["c", "d"]
    assert splits.part(0.5, 1).retain == splits.retain
    assert splits.part(0, 1) == splits


def test_parts_cover_the_forget_set_once() -> None:
    splits = Splits(forget=_of("a", "b", "c", "d", "e"), retain=())
    parts = [splits.part(number / 3, (number + 1) / 3).forget for number in range(3)]
    assert [pair for part in parts for pair in part] == list(splits.forget)


def test_a_part_is_never_empty() -> None:
    assert len(Splits(forget=_of("a", "b"), retain=()).part(0, 0.01).forget) == 1


def test_pairs_without_a_subject_stand_for_themselves() -> None:
    pairs = (Pair("q1", "x"), Pair("q2", "x"), Pair("", "a text"), Pair("", "another"))
    assert Splits(forget=pairs, retain=()).part(0.5, 1).forget == pairs[2:]


def test_a_part_of_the_passages_has_reports_with_their_questions(tiny: LanguageModel) -> None:
    whole = find_task("passages").splits(tiny)
    quarter = whole.part(0, 0.25)
    assert len(quarter.members) == 4
    assert len(quarter.forget) == 4 + 4 * 5
    assert {pair.subject for pair in quarter.members} == {pair.subject for pair in quarter.forget}
