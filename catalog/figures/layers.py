"""Methods and what they build on: columns of boxes, each a link, what is built on to the left.

Boxes without a line to another stand in rows below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from catalog.figures.drawing import framed, text_width
from catalog.figures.labels import spread

_ROW, _HEIGHT = 31, 23
_GAP, _NEAR = 96, 44
"""Between columns; with headings there are many."""
_HEADING = 34
_MARGIN = 4
_SIZE = 13.0
_SWEEPS = 8
_NARROWEST = 620
_APART = 14
"""Between the columns and the rows below."""
_Box = tuple[float, float, float]
"""Left side, middle of the height, and width."""


@dataclass(frozen=True)
class Node:
    """One box."""

    id: str
    label: str
    href: str
    note: str = ""
    """A few characters after the label, such as a count."""
    about: str = ""
    """What it is, in words, for the pointer."""
    runs: bool = False
    """Whether it runs here; such boxes are filled."""


def layered_figure(
    nodes: Sequence[Node],
    edges: Sequence[tuple[str, str]],
    layers: Mapping[str, int],
    *,
    title: str,
    words: str,
    ident: str = "layers",
    headings: Sequence[tuple[str, int]] = (),
) -> str:
    """A graph in columns, as a fragment for a page.

    Args:
        nodes: the boxes.
        edges: (from, to) by id, from a lower to a higher layer; others are left out.
        layers: the column of each node.
        title: its name, for those who cannot see it.
        words: what it shows, in words.
        ident: what the ids inside begin with; unique on a page.
        headings: what stands above the columns, each with the number of its first column. With them every box stands
            in its column; without, those that no line joins stand in rows below.
    """
    by_id = {node.id: node for node in nodes}
    kept = [(a, b) for a, b in edges if a in by_id and b in by_id and layers[a] < layers[b]]
    joined = {end for edge in kept for end in edge}
    columns = _ordered([node for node in nodes if headings or node.id in joined], kept, layers)
    widths = [max((_width(by_id[node_id]) for node_id in column), default=0.0) for column in columns]
    gap = _NEAR if headings else _GAP
    lefts = [_MARGIN + sum(widths[:place]) + gap * place for place in range(len(columns))]
    top = _HEADING if headings else _MARGIN
    height = top + _MARGIN + _ROW * max((len(column) for column in columns), default=0)
    boxes: dict[str, _Box] = {}
    for left, column in zip(lefts, columns, strict=True):
        for node_id, middle in _rows(column, kept, boxes, top, height).items():
            boxes[node_id] = (left, middle, _width(by_id[node_id]))
    width = max(_NARROWEST, round(lefts[-1] + widths[-1] + _MARGIN) if columns else 0)
    alone = [] if headings else [node for node in nodes if node.id not in joined]
    if alone:
        below = _alone(alone, width, height + (_APART if columns else 0))
        boxes |= below
        height = round(max(middle for _, middle, _ in below.values()) + _ROW / 2 + _MARGIN)
    return framed(
        [*_headed(headings, lefts, width, height), *_edges(kept, boxes), *_boxes(nodes, boxes)],
        width=width,
        height=height,
        title=title,
        words=words,
        ident=ident,
        alone=False,
        linked=True,
    )


def _alone(nodes: Sequence[Node], width: float, top: float) -> dict[str, _Box]:
    """Boxes one after the other, in as many rows as they need."""
    boxes: dict[str, _Box] = {}
    left, middle = float(_MARGIN), top + _ROW / 2
    for node in nodes:
        if left > _MARGIN and left + _width(node) > width - _MARGIN:
            left, middle = float(_MARGIN), middle + _ROW
        boxes[node.id] = (left, middle, _width(node))
        left += _width(node) + 10
    return boxes


def _width(node: Node) -> float:
    return 18 + text_width(node.label, _SIZE, bold=True) + (8 + text_width(node.note, _SIZE - 1) if node.note else 0)


def _ordered(nodes: Sequence[Node], edges: Sequence[tuple[str, str]], layers: Mapping[str, int]) -> list[list[str]]:
    """The columns, ordered so that few edges cross: each node near the middle of its neighbors, again and again."""
    neighbors: dict[str, list[str]] = {node.id: [] for node in nodes}
    for a, b in edges:
        neighbors[a].append(b)
        neighbors[b].append(a)
    columns: list[list[str]] = [[] for _ in range(max((layers[node.id] for node in nodes), default=-1) + 1)]
    for node in nodes:
        columns[layers[node.id]].append(node.id)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            place = {node_id: (row + 0.5) / len(ids) for ids in columns for row, node_id in enumerate(ids)}
            joined = [node_id for node_id in column if neighbors[node_id]]
            middle = {
                node_id: sum(place[neighbor] for neighbor in neighbors[node_id]) / len(neighbors[node_id])
                for node_id in joined
            }
            column.sort(key=lambda node_id: middle.get(node_id, 1.0))  # what no line joins goes below
    return columns


def _rows(
    column: Sequence[str],
    edges: Sequence[tuple[str, str]],
    boxes: Mapping[str, _Box],
    top: float,
    height: float,
) -> dict[str, float]:
    """The height of each node's middle: at its bases', as far as the others of the column leave room."""
    wished = []
    for row, node_id in enumerate(column):
        bases = [boxes[a][1] for a, b in edges if b == node_id and a in boxes]
        wished.append(sum(bases) / len(bases) if bases else top + _ROW * (row + 0.5))
    placed = spread(wished, _ROW, top + _ROW / 2, height - _MARGIN - _ROW / 2)
    return dict(zip(column, placed, strict=True))


def _headed(headings: Sequence[tuple[str, int]], lefts: Sequence[float], width: float, height: float) -> Iterator[str]:
    """A heading over its columns, and every other stretch of them on a ground of its own."""
    starts = [lefts[column] - _NEAR / 2 if column else 0.0 for _, column in headings]
    for place, ((text, column), start) in enumerate(zip(headings, starts, strict=True)):
        end = starts[place + 1] if place + 1 < len(starts) else width
        if place % 2:
            yield f'<rect class="figure-band" x="{start:.1f}" y="0" width="{end - start:.1f}" height="{height}"/>'
        yield f'<text class="figure-tick" x="{lefts[column]:.1f}" y="18">{escape(text)}</text>'


def _edges(edges: Sequence[tuple[str, str]], boxes: Mapping[str, _Box]) -> Iterator[str]:
    for a, b in edges:
        left, start, width = boxes[a]
        x, end, _ = boxes[b]
        begin = left + width
        bend = max(_NEAR / 2, (x - begin) / 2)
        yield (
            f'<path class="figure-edge" d="M{begin:.1f} {start:.1f} C{begin + bend:.1f} {start:.1f} '
            f'{x - bend:.1f} {end:.1f} {x:.1f} {end:.1f}"/>'
        )


def _boxes(nodes: Sequence[Node], boxes: Mapping[str, _Box]) -> Iterator[str]:
    for node in sorted(nodes, key=lambda node: (boxes[node.id][0], boxes[node.id][1])):
        left, middle, width = boxes[node.id]
        look = "figure-node figure-runs" if node.runs else "figure-node"
        note = f'<tspan class="figure-minor" dx="8">{escape(node.note)}</tspan>' if node.note else ""
        about = f"<title>{escape(node.about)}</title>" if node.about else ""
        yield (
            f'<a href="{escape(node.href)}">{about}'
            f'<rect class="{look}" x="{left:.1f}" y="{middle - _HEIGHT / 2:.1f}" width="{width:.1f}" '
            f'height="{_HEIGHT}" rx="5"/>'
            f'<text class="figure-box" x="{left + 9:.1f}" y="{middle + 4.5:.1f}">{escape(node.label)}{note}</text></a>'
        )
