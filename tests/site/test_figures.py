"""Figures: what they say to those who see them and to those who do not."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from catalog.figures import Point, forget_utility_figure

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [
    Point("target", 0.97, 0.96, "target"),
    Point("retrained", 0.12, 0.95, "retrained"),
    Point("NPO", 0.15, 0.88),
    Point("GA & <co>", 0.0, 0.02),
]


def test_a_figure_has_a_name_and_a_description_with_the_numbers() -> None:
    root = ElementTree.fromstring(forget_utility_figure(POINTS, standalone=False, ident="here"))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "here-title here-text"
    described = root.findtext(f"{SVG}desc") or ""
    assert "NPO: forget 0.15, utility 0.88" in described
    assert "GA & <co>" in described


def test_kinds_differ_in_shape() -> None:
    root = ElementTree.fromstring(forget_utility_figure(POINTS, standalone=False))
    assert [len(root.findall(f"{SVG}{shape}")) for shape in ("circle", "rect", "polygon")] == [2, 1, 1]


def test_only_a_file_of_its_own_brings_its_colors() -> None:
    assert "<style>" not in forget_utility_figure(POINTS, standalone=False)
    alone = forget_utility_figure(POINTS, standalone=True)
    assert "prefers-color-scheme: dark" in alone
    ElementTree.fromstring(alone)


def test_points_on_one_spot_keep_their_labels_apart() -> None:
    crowd = [Point(f"Method {n}", 0.15 + n / 1000, 0.9) for n in range(6)]
    root = ElementTree.fromstring(forget_utility_figure(crowd, standalone=False))
    places = {(e.get("x"), e.get("y")) for e in root.iter(f"{SVG}text") if e.get("class") == "figure-label"}
    assert len(places) == 6


def test_same_points_same_bytes() -> None:
    assert forget_utility_figure(POINTS, standalone=True) == forget_utility_figure(POINTS, standalone=True)


numbers = st.floats(-1e6, 1e6, allow_nan=False)
labels = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=30)


@given(st.lists(st.builds(Point, labels, numbers, numbers), max_size=8))
def test_any_numbers_and_labels_make_a_well_formed_figure_inside_its_frame(points: list[Point]) -> None:
    root = ElementTree.fromstring(forget_utility_figure(points, standalone=True))
    for circle in root.iter(f"{SVG}circle"):
        assert 0 <= float(circle.get("cx", "")) <= 480
        assert 0 <= float(circle.get("cy", "")) <= 370
