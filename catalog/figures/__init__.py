"""Charts as SVG, drawn while the site is built: accessible, sharp in print, and themed by CSS variables.

A figure carries a title and a description for those who cannot see it. Inline, it takes its colors from the
page; as a file of its own it brings them along, for light and dark.
"""

from catalog.figures.course import Path, course_figure
from catalog.figures.drawing import STYLE
from catalog.figures.layers import Node, layered_figure
from catalog.figures.plane import MANY, Kind, Point, front
from catalog.figures.robustness import Change, robustness_figure
from catalog.figures.scatter import forget_utility_figure, numbered_figure
from catalog.figures.timeline import quarters, timeline_figure
from catalog.figures.tradeoff import Attempt, tradeoff_figure

__all__ = [
    "MANY",
    "STYLE",
    "Attempt",
    "Change",
    "Kind",
    "Node",
    "Path",
    "Point",
    "course_figure",
    "forget_utility_figure",
    "front",
    "layered_figure",
    "numbered_figure",
    "quarters",
    "robustness_figure",
    "timeline_figure",
    "tradeoff_figure",
]
