"""What is left of the forget set against utility: one mark per method, each with its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from catalog.figures.drawing import framed, text_width
from catalog.figures.labels import HEIGHT, SPACE, SPACING, Box, free_place, spread
from catalog.figures.plane import CROWD, MANY, Plane, Point, in_words

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 56
_RADIUS = 6.0
_MINOR, _MAJOR = 12.5, 14.0
"""Sizes of type: of methods behind the front in a crowd, and of all others."""
_AWAY = 22
"""Between the frame and the names at its side."""
_NARROW, _NARROW_HEIGHT = 360, 330
_NARROW_RADIUS = 4.5
_NARROW_LINE = 19
_MOST_NUMBERS = 30
"""Of a crowd on a small screen."""
_Label = tuple[Box, bool]
"""Where a label is, and whether it needs a leader."""


def forget_utility_figure(
    points: Sequence[Point],
    standalone: bool,
    *,
    forget_label: str = "Forget set: probability of the answers",
    utility_label: str = "Utility",
    ident: str = "forget-utility",
    width: int = 480,
    height: int = 370,
    marked: str = "",
) -> str:
    """A scatter of what is left of the forget set against utility, with the name of every point.

    Names stand beside their marks; those that find no room there stand in a column at the right, with leaders. Of a
    crowd, only those are named that have room: every mark has its name and numbers as a title.

    Args:
        points: the methods, and ``target`` and ``retrained`` as points of reference.
        standalone: a file of its own, with its colors; else a fragment for a page that links :data:`STYLE`.
        forget_label: name of the horizontal axis.
        utility_label: name of the vertical axis.
        ident: what the ids inside begin with; unique on a page.
        width: in user units; a crowd needs more room.
        height: likewise; it becomes as high as its column needs, if it has one.
        marked: the label of the method that it is about; it stands out, and is named before others.
    """
    frame = Box(_LEFT, _TOP, width - _RIGHT, height - _BOTTOM)
    plane = Plane(points, frame, _RADIUS, marked)
    labels, left = _beside(plane)
    if left and len(points) <= CROWD:
        widest = max(_width(plane, point) for point in points if plane.behind(point))
        height = max(height, round(_TOP + SPACING * len(points) * 0.8 + _BOTTOM))
        frame = Box(_LEFT, _TOP, width - widest - _AWAY - 4, height - _BOTTOM)
        plane = Plane(points, frame, _RADIUS, marked)
        labels, left = _beside(plane)
        labels |= _at_the_side(plane, left)
    return framed(
        [*plane.axes(forget_label, utility_label, _BOTTOM - 12), *_drawn(plane, labels)],
        width=width,
        height=height,
        title=_title(forget_label, utility_label),
        words=in_words(points),
        ident=ident,
        alone=standalone,
    )


def numbered_figure(
    points: Sequence[Point],
    *,
    forget_label: str = "Forget set: probability of the answers",
    utility_label: str = "Utility",
    ident: str = "forget-utility-narrow",
    marked: str = "",
) -> str:
    """The same for a small screen, where names have no room among the marks: numbers, and the names below.

    Of a crowd, only the references, the front and those nearest to the retrained model have numbers.

    Args:
        points: as above.
        forget_label: likewise.
        utility_label: likewise.
        ident: likewise.
        marked: likewise.
    """
    plane = Plane(points, Box(60, 10, _NARROW - 8, _NARROW_HEIGHT - 50), _NARROW_RADIUS, marked)
    ordered = sorted(_worth_a_number(plane), key=lambda point: (point.forget, -point.utility, point.label))
    unnamed = [point for point in points if point not in ordered]
    rows = -(-len(ordered) // 2)
    return framed(
        [
            *plane.axes(forget_label, utility_label, 40),
            *plane.marks(unnamed),
            *_numbers(plane, ordered),
            *(_line(plane, point, number, rows) for number, point in enumerate(ordered)),
        ],
        width=_NARROW,
        height=_NARROW_HEIGHT + _NARROW_LINE * rows + 8,
        title=_title(forget_label, utility_label),
        words=in_words(points),
        ident=ident,
        alone=False,
        narrow=True,
    )


def _worth_a_number(plane: Plane) -> list[Point]:
    """All points; of a crowd, what is not behind others, and of the rest those nearest to the retrained model."""
    if len(plane.points) <= CROWD:
        return list(plane.points)
    aim = next((point.forget for point in plane.points if point.kind == "retrained"), 0.0)
    behind = [point for point in plane.points if plane.behind(point)]
    near = sorted(behind, key=lambda point: (abs(point.forget - aim), -point.utility, point.label))
    ahead = [point for point in plane.points if not plane.behind(point)]
    return ahead + near[: max(0, _MOST_NUMBERS - len(ahead))]


def _title(forget_label: str, utility_label: str) -> str:
    return f"{utility_label} against {forget_label[:1].lower()}{forget_label[1:]}"


def _is_minor(plane: Plane, point: Point) -> bool:
    return len(plane.points) > MANY and plane.behind(point)


def _width(plane: Plane, point: Point) -> float:
    minor = _is_minor(plane, point)
    return text_width(plane.name(point), _MINOR if minor else _MAJOR, bold=not minor)


def _beside(plane: Plane) -> tuple[dict[int, _Label], list[int]]:
    """The labels that have room near their marks, what is most worth one first; and the points that are left."""
    points = plane.points
    places = [plane.place(point) for point in points]
    taken = [Box.around(x, y, _RADIUS) for x, y in places]
    labels: dict[int, _Label] = {}
    left = []
    for index in sorted(range(len(points)), key=lambda position: plane.behind(points[position])):
        minor = _is_minor(plane, points[index])
        place = free_place(plane.frame, _width(plane, points[index]), *places[index], _RADIUS, taken, beside=minor)
        if minor and place.cost > 0:
            left.append(index)
            continue
        taken.append(place.box.with_space(SPACE))
        labels[index] = place.box, place.distance > 1
    return labels, left


def _at_the_side(plane: Plane, left: Sequence[int]) -> dict[int, _Label]:
    """A column to the right of the frame, in the order of the marks' heights."""
    ordered = sorted(left, key=lambda index: plane.place(plane.points[index])[1])
    wishes = [plane.place(plane.points[index])[1] for index in ordered]
    middles = spread(wishes, SPACING, plane.frame.top + HEIGHT / 2, plane.frame.bottom)
    start = plane.frame.right + _AWAY
    return {
        index: (Box(start, middle - HEIGHT / 2, start + _width(plane, plane.points[index]), middle + HEIGHT / 2), True)
        for index, middle in zip(ordered, middles, strict=True)
    }


def _drawn(plane: Plane, labels: dict[int, _Label]) -> Iterator[str]:
    """Marks over their leaders, labels on top."""
    leaders, names = [], []
    for index, (box, led) in labels.items():
        point = plane.points[index]
        x, y = plane.place(point)
        if led:
            aside = box.left > plane.frame.right
            end, side = (box.left - 3, (box.top + box.bottom) / 2) if aside else box.nearest(x, y)
            look = "figure-leader figure-far" if aside else "figure-leader"
            leaders.append(f'<line class="{look}" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{side:.1f}"/>')
        at, anchor = box.anchor(x)
        look = "figure-label figure-minor" if _is_minor(plane, point) else "figure-label"
        names.append(
            f'<text class="{look}" x="{at:.1f}" y="{box.bottom - 4:.1f}" text-anchor="{anchor}">'
            f"{escape(plane.name(point))}</text>"
        )
    yield from (*leaders, *plane.marks(plane.points), *names)


def _numbers(plane: Plane, ordered: Sequence[Point]) -> Iterator[str]:
    """Marks with their numbers."""
    places = [plane.place(point) for point in ordered]
    taken = [Box.around(x, y, _NARROW_RADIUS) for x, y in places]
    leaders, numbers = [], []
    for index, (x, y) in enumerate(places):
        text = str(index + 1)
        place = free_place(plane.frame, text_width(text, 11.5), x, y, _NARROW_RADIUS - 2, taken, beside=False)
        taken.append(place.box)
        at, anchor = place.box.anchor(x)
        if place.distance > 1:
            end, side = place.box.nearest(x, y)
            leaders.append(f'<line class="figure-leader" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{side:.1f}"/>')
        numbers.append(
            f'<text class="figure-number" x="{at:.1f}" y="{place.box.bottom - 4.5:.1f}" text-anchor="{anchor}">{text}'
            "</text>"
        )
    yield from (*leaders, *plane.marks(ordered), *numbers)


def _line(plane: Plane, point: Point, number: int, rows: int) -> str:
    """A number and its name, in one of two columns below."""
    left = 20 + (_NARROW / 2) * (number // rows)
    y = _NARROW_HEIGHT + _NARROW_LINE * (number % rows + 0.7)
    look = "figure-line figure-minor" if plane.behind(point) else "figure-line figure-label"
    return (
        f'<text class="figure-number" x="{left:.1f}" y="{y:.1f}" text-anchor="end">{number + 1}</text>'
        f'<text class="{look}" x="{left + 7:.1f}" y="{y:.1f}">{escape(plane.name(point))}</text>'
    )
