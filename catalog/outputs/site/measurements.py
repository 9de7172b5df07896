"""What was measured, as pages show it: figures, courses, answers before and after, claims with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from catalog import figures
from catalog.insight import leaderboard
from catalog.insight.courses import Courses
from catalog.insight.courses import courses as courses_of
from catalog.insight.meta_evaluation import Judgement, judge_metrics, most_trusted
from catalog.insight.tradeoff import Tradeoff, tradeoff, tradeoffs
from catalog.model.catalog import Catalog
from catalog.model.claims import Claim, Finding
from catalog.model.implementations import Implementation
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED, REFERENCES
from catalog.outputs.site.formats import number
from catalog.outputs.site.settings import Settings

NEAREST = 25
"""Of a board's methods, so many stand where not all have room: those nearest to the retrained model."""


class Followed(NamedTuple):
    """A metric from step to step."""

    metric: Metric
    figure: Markup | None
    """None if there is not enough to draw."""
    goal: float | None
    """The retrained model's value, where it is known."""


class Tried(NamedTuple):
    """What a search has tried, and a figure of it."""

    tradeoff: Tradeoff
    figure: Markup


@dataclass(frozen=True)
class Story:
    """What one method did to a model, in a few questions and answers, before and after."""

    board: leaderboard.Board
    row: leaderboard.Row
    exchanges: tuple[tuple[str, str, str, str, str], ...]
    """(split, question, true answer, answered before, answered after)."""


class Measurements:
    """The boards of a catalog, and what is drawn and told of them."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog, self._settings = catalog, settings
        self.boards = leaderboard.boards(catalog)

    def board_of(self, method: str) -> leaderboard.Board | None:
        """The board with the method's first measured result, if there is one."""
        boards = (board for board in self.boards if any(row.method == method for row in board.rows))
        return next((board.only(method).brief(self._settings.headline_metrics) for board in boards), None)

    def trusted(self, board: leaderboard.Board) -> tuple[Judgement, ...]:
        """The metrics of a board that can be trusted most."""
        return most_trusted(judge_metrics(self._catalog, board.task))

    def leading(self, board: leaderboard.Board) -> frozenset[str]:
        """The metrics of a board that its table shows first: the headlines, and those to be trusted most."""
        return frozenset({*self._settings.headline_metrics, *(judged.metric.id for judged in self.trusted(board))})

    def figure(self, board: leaderboard.Board, *, large: bool = False, about: str = "") -> Markup | None:
        """Forgetting against utility; None where there is not enough to draw.

        Args:
            board: whose rows are drawn.
            large: more room, where it is what a page is for.
            about: the method that stands out.
        """
        points = leaderboard.points(board, self._settings.utility_metric)
        if len(points) < 2:
            return None
        labels = {metric.id: metric.label for metric in board.metrics}
        axes = {"forget_label": labels[board.headline], "utility_label": labels[self._settings.utility_metric]}
        crowd = len(points) > figures.MANY
        marked = row.label if (row := board.row(about)) else ""
        drawn = figures.forget_utility_figure(
            points,
            standalone=False,
            **axes,
            ident=f"figure-{board.slug}",
            width=(680 if large else 560) if crowd else 480,
            height=(600 if large else 440) if crowd else 370,
            marked=marked,
        )
        if not crowd:
            return Markup(drawn)
        narrow = figures.numbered_figure(points, **axes, ident=f"figure-{board.slug}-narrow", marked=marked)
        return Markup(f"{drawn}\n{narrow}")

    def robustness(self, board: leaderboard.Board) -> Markup | None:
        """What an attack brings back; None where there is not enough to draw."""
        changes = leaderboard.changes(board, self._settings.headline_attack, NEAREST)
        if len(changes) < 2:
            return None
        labels = {metric.id: metric.label for metric in (*board.metrics, *board.attacks)}
        drawn = figures.robustness_figure(
            changes,
            standalone=False,
            label=labels[board.headline],
            attack=labels[self._settings.headline_attack],
            ident=f"robustness-{board.slug}",
        )
        return Markup(drawn)

    def tradeoff(self, board: leaderboard.Board, method: Implementation) -> Tried | None:
        """What the search has tried for a method on a board; None where that was not measured."""
        search = tradeoff(self._catalog, board.task, method, board.model)
        if search is None:
            return None
        return Tried(search, Markup(figures.tradeoff_figure(search.attempts, False, ident=f"tried-{board.slug}")))

    def tradeoffs(self, board: leaderboard.Board) -> tuple[Tradeoff, ...]:
        """Of all methods on a board, the largest area first."""
        return tradeoffs(self._catalog, board.task, board.model)

    def courses(self, task: Implementation) -> Iterator[tuple[Courses, list[Followed]]]:
        """What happens on a task as more is to be forgotten, with the metrics to show."""
        shown = (task.headline, self._settings.utility_metric)
        metrics = sorted(
            (metric for metric in self._catalog.metrics if metric.id in shown),
            key=lambda metric: shown.index(metric.id),
        )
        results = self._catalog.results_of("retrained")
        of_task = (result for result in results if (result.task, result.model) == (task.id, EMBEDDED))
        goal = next((result.metrics.get(shown[1]) for result in of_task if result.plain), None)
        for courses in courses_of(self._catalog, task.id, metrics):
            # What the retrained model knows of a part of the forget set is in no record.
            goals = {self._settings.utility_metric: goal}
            yield courses, [self._followed(task, courses, metric, goals.get(metric.id)) for metric in metrics]

    @staticmethod
    def _followed(task: Implementation, courses: Courses, metric: Metric, goal: float | None) -> Followed:
        paths = courses.paths(metric.id)
        if not paths:
            return Followed(metric, None, goal)
        drawn = figures.course_figure(
            paths,
            standalone=False,
            label=metric.label,
            steps=courses.steps,
            goal=goal,
            ident=f"course-{task.id}-{courses.id}-{metric.id.replace('_', '-')}",
        )
        return Followed(metric, Markup(drawn), goal)

    def found_in_words(self, found: Finding, claim: Claim) -> str:
        """A comparison as a sentence with its numbers."""
        labels = {metric.id: metric.label for metric in self._catalog.metrics}
        names = {implementation.id: implementation.name for implementation in self._catalog.implementations} | {
            "target": "the target",
            "retrained": "the retrained model",
        }
        evidence = found.evidence
        measure = labels.get(evidence.measure) or names.get(evidence.measure.replace("_", "-"), evidence.measure)
        mine, theirs = _settings_in_words(evidence.at), _settings_in_words(evidence.of_at)
        alike = mine and not theirs and evidence.of not in REFERENCES
        model = f", {evidence.model}" if evidence.model != EMBEDDED else ""
        where = f"on {evidence.task}{model}" + (f"{', both' if alike else ''} with {mine}" if mine else "")
        if found.value is None or found.bound is None:
            return f"{measure} {where}: not measured."
        of = labels[evidence.of].lower() if evidence.of in labels else names.get(evidence.of, evidence.of)
        factor = f"{evidence.times:g} times " if evidence.times != 1 else ""
        shift = f" {'plus' if evidence.plus > 0 else 'minus'} {abs(evidence.plus):g}" if evidence.plus else ""
        margin = f" (within {evidence.within:g})" if evidence.is_ == "near" else ""
        outcome = {"holds": "yes", "contradicted": "no"}.get(found.outcome, found.outcome)
        known = "single runs" if found.margin is None else f"±{number(found.margin)}"
        return (
            f"{measure} {where}: {number(found.value)}, to be {evidence.is_} {factor}"
            f"{of}’s {number(found.other or 0.0)}{f' with {theirs}' if theirs else ''}{shift}{margin}: "
            f"{outcome} ({known})."
        )


def _settings_in_words(settings: Mapping[str, float | str]) -> str:
    """Settings of a trial as a list: ``learning rate 0.0005, objective fact-erasure``."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    )


def story(board: leaderboard.Board, method: str) -> Story | None:
    """What a method did to a model; None where it was not measured."""
    row = next((row for row in board.rows if row.method == method), None)
    target = board.reference("target")
    if row is None or target is None or row.kind != "method":
        return None
    before = {(example.split, example.prompt): example.generated for example in target.examples}
    exchanges = tuple(
        (example.split, example.question, example.answer, before[example.split, example.prompt], example.generated)
        for example in row.examples
        if (example.split, example.prompt) in before
    )
    return Story(board, row, exchanges)
