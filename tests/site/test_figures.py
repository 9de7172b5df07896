"""Figures: what they say to those who see them and to those who do not."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markup_trees import SVG

from catalog.figures import (
    Node,
    Point,
    forget_utility_figure,
    layered_figure,
    numbered_figure,
    quarters,
    timeline_figure,
)
from catalog.figures.drawing import text_width

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


class Box(NamedTuple):
    left: float
    right: float
    baseline: float


def label_boxes(root: ElementTree.Element) -> list[Box]:
    boxes = []
    for one in root.iter(f"{SVG}text"):
        look = one.get("class") or ""
        if not look.startswith("figure-label"):
            continue
        minor = "minor" in look
        width, x = text_width(one.text or "", 12.5 if minor else 14, bold=not minor), float(one.get("x", ""))
        left = {"start": x, "end": x - width, "middle": x - width / 2}[one.get("text-anchor", "start")]
        boxes.append(Box(left, left + width, float(one.get("y", ""))))
    return boxes


def test_labels_of_thirty_methods_in_one_place_do_not_hide_each_other() -> None:
    # As on the authors task: utility within a tenth, what is left within a half.
    crowd = [Point("Target", 0.96, 0.62, "target"), Point("Retrained", 0.45, 0.625, "retrained")]
    crowd += [Point(f"Method {n}", 0.3 + (n * 37 % 50) / 100, 0.53 + (n * 53 % 9) / 100) for n in range(32)]
    for width, height in ((480, 400), (620, 600)):
        drawn = forget_utility_figure(crowd, standalone=False, width=width, height=height)
        boxes = label_boxes(ElementTree.fromstring(drawn))
        assert len(boxes) > 8
        for place, one in enumerate(boxes):
            assert one.left >= 0
            assert one.right <= width
            for other in boxes[:place]:
                apart = one.left >= other.right or other.left >= one.right or abs(one.baseline - other.baseline) >= 15
                assert apart, (one, other)


def test_a_crowd_is_shown_nearer_and_a_few_points_between_0_and_1() -> None:
    crowd = [Point(f"m{n}", 0.05 * n, 0.5 + n / 200) for n in range(14)]

    def ticks(points: list[Point]) -> set[str]:
        root = ElementTree.fromstring(forget_utility_figure(points, standalone=False))
        return {one.text or "" for one in root.iter(f"{SVG}text") if one.get("text-anchor") == "end"}

    assert {"0.0", "1.0"} <= ticks(crowd[:5])
    assert not {"0.0", "1.0"} & ticks(crowd)


def crowds(most: int = 45) -> st.SearchStrategy[list[Point]]:
    """Many methods with names of their own, and the references."""
    shares = st.floats(0, 1, allow_nan=False)
    some = st.lists(st.tuples(shares, shares), min_size=13, max_size=most)
    references = [Point("Target", 0.96, 0.62, "target"), Point("Retrained", 0.45, 0.625, "retrained")]
    return some.map(lambda ones: [*references, *(Point(f"Name {n:02}", *one) for n, one in enumerate(ones))])


def texts(drawn: str, look: str) -> list[str]:
    root = ElementTree.fromstring(drawn)
    return [one.text or "" for one in root.iter(f"{SVG}text") if look in (one.get("class") or "")]


@settings(deadline=None, max_examples=40)
@given(crowds(), st.sampled_from([(480, 400), (560, 440), (680, 600)]))
def test_every_method_of_any_crowd_is_named_in_the_figure(points: list[Point], size: tuple[int, int]) -> None:
    drawn = forget_utility_figure(points, standalone=False, width=size[0], height=size[1])
    named = texts(drawn, "figure-label")
    held = [next(one.label for one in points if name.startswith(one.label)) for name in named]
    assert sorted(held) == sorted(one.label for one in points)
    root = ElementTree.fromstring(drawn)
    height = float(root.get("height", ""))
    assert all(box.left >= 0 and box.right <= size[0] and 0 <= box.baseline <= height for box in label_boxes(root))


@settings(deadline=None, max_examples=40)
@given(crowds())
def test_on_a_small_screen_every_method_has_a_number_and_a_line(points: list[Point]) -> None:
    drawn = numbered_figure(points)
    lines = texts(drawn, "figure-line")
    assert sorted(next(one.label for one in points if line.startswith(one.label)) for line in lines) == sorted(
        one.label for one in points
    )
    numbers = texts(drawn, "figure-number")
    assert sorted(numbers, key=int) == sorted([str(n + 1) for n in range(len(points))] * 2, key=int)
    assert float(ElementTree.fromstring(drawn).get("width", "")) <= 360


def throng(count: int) -> list[Point]:
    references = [Point("Target", 0.96, 0.62, "target"), Point("Retrained", 0.45, 0.625, "retrained")]
    return [*references, *(Point(f"Method {n}", n * 37 % 101 / 100, 0.4 + n * 53 % 89 / 400) for n in range(count))]


def test_a_throng_does_not_make_the_figure_larger_and_every_mark_says_its_name() -> None:
    points = throng(400)
    root = ElementTree.fromstring(forget_utility_figure(points, standalone=False, width=680, height=600))
    assert (root.get("width"), root.get("height")) == ("680", "600")
    marks = [one for one in root.iter() if "figure-mark" in (one.get("class") or "")]
    said = sorted((one.findtext(f"{SVG}title") or "").split(":")[0] for one in marks)
    assert said == sorted(point.label for point in points)
    named = [name.split(" 0.")[0] for name in texts(ElementTree.tostring(root, "unicode"), "figure-label")]
    assert {"Target", "Retrained"} <= set(named), "and whatever else has room"


def test_what_a_figure_is_about_is_named_and_stands_out_of_any_throng() -> None:
    points = throng(400)
    hidden = "Method 77"
    for drawn in (
        forget_utility_figure(points, standalone=False, width=560, height=440, marked=hidden),
        numbered_figure(points, marked=hidden),
    ):
        assert any(name.split(" 0.")[0] == hidden for name in texts(drawn, "figure-label"))
        (mark,) = (one for one in ElementTree.fromstring(drawn).iter() if "figure-marked" in (one.get("class") or ""))
        assert (mark.findtext(f"{SVG}title") or "").startswith(f"{hidden}:")


def test_of_a_throng_on_a_small_screen_the_nearest_have_numbers_and_all_have_marks() -> None:
    points = throng(400)
    drawn = numbered_figure(points)
    lines = texts(drawn, "figure-line")
    assert {"Target", "Retrained"} <= set(lines)
    assert len(lines) == 30
    root = ElementTree.fromstring(drawn)
    assert len([one for one in root.iter() if "figure-mark" in (one.get("class") or "")]) == len(points)


@pytest.mark.parametrize("far", [(0.5, 0.02), (0.99, 0.56), (0.01, 0.01)])
def test_one_method_far_from_all_others_does_not_squeeze_them(far: tuple[float, float]) -> None:
    crowd = [Point("Target", 0.5, 0.62, "target"), Point("Retrained", 0.45, 0.625, "retrained")]
    crowd += [Point(f"Method {n}", 0.4 + (n * 37 % 10) / 100, 0.53 + (n * 53 % 9) / 100) for n in range(24)]
    alone, with_it = (
        ElementTree.fromstring(forget_utility_figure(some, standalone=False, width=560, height=440))
        for some in (crowd, [*crowd, Point("Far", *far)])
    )

    def reach(root: ElementTree.Element, axis: str) -> float:
        places = [float(one.get(axis, "")) for one in root.findall(f"{SVG}circle")]
        return max(places) - min(places)

    for axis in ("cx", "cy"):
        assert reach(with_it, axis) > 0.6 * reach(alone, axis)
    assert len(with_it.findall(f"{SVG}circle")) == 24, "it is an arrow at the edge"
    unseen = [value for value, usual in zip(far, (0.45, 0.57), strict=True) if abs(value - usual) > 0.2]
    name = next(one.text or "" for one in with_it.iter(f"{SVG}text") if (one.text or "").startswith("Far"))
    assert name == " ".join(["Far", *(f"{value:.2f}" for value in unseen)])


# Papers over time


def test_quarters_count_dates_with_and_without_a_day() -> None:
    assert quarters(["2024-01", "2024-03-31", "2024-04", "2025-12", "2023-12", "2026-01"], 2024, 2025) == [
        *(2, 1, 0, 0),
        *(0, 0, 0, 1),
    ]


def test_columns_are_as_high_as_the_counts_and_said_in_words() -> None:
    drawn = timeline_figure([4, 0, 2, 1, 0, 0, 0, 8], 2024, title="Papers", ident="t", most=10)
    root = ElementTree.fromstring(drawn)
    assert root.findtext(f"{SVG}desc") == "7 in 2024, 8 in 2025"
    heights = [float(one.get("height", "")) for one in root.findall(f"{SVG}rect")]
    assert len(heights) == 4, "a quarter without papers has no column"
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.11)
    assert heights[3] == pytest.approx(2 * heights[0], abs=0.11)
    axis = [one.text for one in root.iter(f"{SVG}text") if one.get("text-anchor") == "end"]
    assert axis == ["0", "5", "10"]


# Lineage


def graph(edges: list[tuple[str, str]], layers: dict[str, int], names: str) -> ElementTree.Element:
    nodes = [Node(name, name.upper(), f"{name}.html", note="1", runs=name == "a") for name in names]
    return ElementTree.fromstring(layered_figure(nodes, edges, layers, title="Graph", words="b builds on a"))


def left_of(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    places = {}
    for link in root.findall(f"{SVG}a"):
        box = link.find(f"{SVG}rect")
        assert box is not None
        places[(link.get("href") or "").removesuffix(".html")] = float(box.get("x", "")), float(box.get("y", ""))
    return places


def test_what_builds_on_something_stands_to_its_right_and_every_box_is_a_link() -> None:
    root = graph([("a", "b"), ("a", "c"), ("b", "d")], {"a": 0, "b": 1, "c": 1, "d": 2, "e": 0}, "abcde")
    places = left_of(root)
    assert set(places) == set("abcde")
    assert places["a"][0] < places["b"][0] == places["c"][0] < places["d"][0]
    assert places["e"][1] > max(y for name, (_, y) in places.items() if name != "e"), "alone, so below"
    assert len(root.findall(f"{SVG}path")) == 3
    assert root.get("role") == "group", "an image would hide its links"
    assert [one.get("class") for one in root.iter(f"{SVG}rect")].count("figure-node figure-runs") == 1


def test_years_stand_over_their_columns() -> None:
    nodes = [Node(name, name.upper(), f"{name}.html") for name in "abcd"]
    headings = [("2030", 0), ("2031", 2)]
    drawn = layered_figure(
        nodes, [("a", "b"), ("b", "c")], {"a": 0, "b": 1, "c": 2, "d": 2}, title="t", words="w", headings=headings
    )
    root = ElementTree.fromstring(drawn)
    years = {one.text: float(one.get("x", "")) for one in root.findall(f"{SVG}text")}
    places = left_of(root)
    assert years == {"2030": places["a"][0], "2031": places["c"][0]}
    assert places["d"][0] == places["c"][0], "also what no line joins"
    assert min(y for _, y in places.values()) > 18


def test_boxes_of_a_column_do_not_touch_and_stay_inside() -> None:
    names = [f"n{number}" for number in range(30)]
    edges = [(names[number], names[15 + number * 7 % 15]) for number in range(15)]
    layers = {name: int(number >= 15) for number, name in enumerate(names)}
    nodes = [Node(name, f"A name & {name}", "#") for name in names]
    root = ElementTree.fromstring(layered_figure(nodes, edges, layers, title="t", words="w"))
    boxes = [{key: float(one.get(key, "")) for key in ("x", "y", "width", "height")} for one in root.iter(f"{SVG}rect")]
    for place, one in enumerate(boxes):
        assert one["y"] >= 0
        assert one["y"] + one["height"] <= float(root.get("height", ""))
        assert one["x"] + one["width"] <= float(root.get("width", ""))
        for other in boxes[:place]:
            assert one["x"] != other["x"] or abs(one["y"] - other["y"]) >= one["height"]


def test_an_empty_graph_is_a_figure_too() -> None:
    root = ElementTree.fromstring(layered_figure([], [], {}, title="t", words="w"))
    assert (root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")) == ("t", "w")
    assert root.find(f"{SVG}rect") is None
