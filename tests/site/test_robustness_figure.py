"""The figure of what comes back, and the front of the scatter."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from markup_trees import SVG

from catalog.figures import Change, Point, forget_utility_figure, front, robustness_figure
from catalog.figures.drawing import text_width

CHANGES = [
    Change("Target", 1.0, 0.9, "target"),
    Change("Retrained", 0.2, 0.25, "retrained"),
    Change("NPO & <co>", 0.2, 0.5),
]


def _drawn(changes: list[Change]) -> ElementTree.Element:
    return ElementTree.fromstring(
        robustness_figure(changes, standalone=False, label="Knowledge", attack="Relearning", ident="here")
    )


def test_every_model_has_a_row_with_both_numbers_in_words() -> None:
    root = _drawn(CHANGES)
    described = root.findtext(f"{SVG}desc") or ""
    assert "NPO & <co>: 0.20, then 0.50" in described
    assert root.findtext(f"{SVG}title") == "Knowledge before and after: Relearning"
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == 2 * len(CHANGES)
    before, after = circles[-2:]
    assert float(before.get("cx", 0)) < float(after.get("cx", 0))


def test_the_retrained_model_after_the_attack_is_a_line_through_all_rows() -> None:
    (goal,) = [one for one in _drawn(CHANGES).findall(f"{SVG}line") if one.get("class") == "figure-goal"]
    assert goal.get("x1") == goal.get("x2")
    assert _drawn([CHANGES[0]]).findall(f"{SVG}line[@class='figure-goal']") == []


numbers = st.floats(0, 1)


@given(st.lists(st.builds(Change, st.text("abcé<&", min_size=1), numbers, numbers), max_size=40))
def test_any_number_of_rows_fits_into_the_figure(changes: list[Change]) -> None:
    root = _drawn(changes)
    height = float(root.get("height", 0))
    assert all(0 < float(one.get("cy", -1)) < height for one in root.findall(f"{SVG}circle"))


@given(st.lists(st.text("abc (é,)", min_size=1, max_size=26), min_size=1, max_size=5))
def test_no_name_is_cut_off_at_the_left(names: list[str]) -> None:
    root = _drawn([Change(name, 0.2, 0.5) for name in (*names, "Retrained (again, seed 2)")])
    for name in root.findall(f"{SVG}text[@class='figure-label']"):
        assert float(name.get("x", 0)) >= text_width(name.text or "", 14, bold=True)
    assert all(float(line.get("x1", 0)) > float(name.get("x", 0)) for line in root.findall(f"{SVG}line"))


POINTS = [
    Point("target", 1.0, 0.9, "target"),
    Point("retrained", 0.4, 0.9, "retrained"),
    Point("near", 0.45, 0.8),
    Point("useful", 0.7, 0.88),
    Point("beaten", 0.1, 0.7),
    Point("below", 0.35, 0.8),
]


def test_the_front_holds_what_no_other_method_beats_on_both_counts() -> None:
    # near and below are equally far from the retrained model, one above and one below it.
    assert front(POINTS) >= {"useful"}
    assert "beaten" not in front(POINTS)
    assert front(POINTS) & {"near", "below"}
    assert "target" not in front(POINTS)


def test_without_a_retrained_model_less_is_better() -> None:
    assert front([Point("a", 0.1, 0.5), Point("b", 0.2, 0.5), Point("c", 0.3, 0.6)]) == {"a", "c"}


def test_in_a_crowd_references_and_the_front_stand_out_and_all_are_named() -> None:
    crowd = [*POINTS, *(Point(f"also {place}", 0.05, 0.1 + place / 100) for place in range(20))]
    root = ElementTree.fromstring(forget_utility_figure(crowd, standalone=False))
    labels = {one.text for one in root.findall(f"{SVG}text[@class='figure-label']")}
    assert labels == {"target", "retrained", *front(crowd)}
    minor = {one.text for one in root.findall(f"{SVG}text[@class='figure-label figure-minor']")}
    assert "beaten" in minor, "there is room beside it"
    assert minor == {one.label for one in crowd} - labels, "those of the column of marks are named at the side"
    assert len(root.findall(f"{SVG}circle")) == len(crowd) - 2
    assert all(one.findtext(f"{SVG}title") for one in root.findall(f"{SVG}circle"))
