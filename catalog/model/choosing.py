"""Which method fits what one has: a few questions, and for each answer and method whether it fits, and why.

The page *Choose a method* and ``unlearn plan`` ask these questions and give these reasons; there is no other place that
knows them. An answer that was not given rules nothing out.
"""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from catalog.model.implementations import Implementation
from catalog.model.needs import ACCESS
from catalog.model.outcomes import Course, Outcome, courses, mean_outcome, outcomes
from catalog.model.results import Result

Fit = Literal["yes", "but", "no"]
FITS: tuple[Fit, ...] = ("yes", "but", "no")
"""From the best to the worst: it fits, it fits with a reservation, it does not."""
TASK = "forget"
"""The question whose answer is a task, which decides the numbers and rules nothing out."""
MODEL = "model"
"""No question, but where a model is named, what methods take on it stands among the answers under that name."""
NEARLY_ALL = 0.9
"""The share of methods that must have been measured on a task for its numbers to count where no task is named."""
RETAIN_WEIGHT = "retain_weight"
"""What methods call the weight of the loss on what must stay."""


class Verdict(NamedTuple):
    """Whether a method fits one answer, and why, as the end of a sentence about it."""

    fit: Fit
    why: str


@dataclass(frozen=True)
class Option:
    """One answer to a question."""

    id: str
    label: str


@dataclass(frozen=True)
class Question:
    """Something to be said about what one has or wants."""

    id: str
    """Also the name of the option of ``unlearn plan``."""
    text: str
    options: tuple[Option, ...]


Situation = Mapping[str, str]
"""The answers given: question -> option."""


@dataclass(frozen=True)
class Candidate:
    """One method, as an answer."""

    method: Implementation
    verdicts: Mapping[tuple[str, str], Verdict]
    """Of every question and option, but for the question of the task."""
    outcomes: Mapping[str, Outcome]
    """By task, where it was measured."""
    compared: tuple[str, ...] | None = None
    """The tasks over which methods are compared where none is named; None for all on which it was measured."""

    def fit(self, situation: Situation) -> Fit:
        """The worst that it does by the answers given."""
        return max((verdict.fit for verdict in self.reasons(situation)), key=FITS.index, default="yes")

    def reasons(self, situation: Situation) -> list[Verdict]:
        """What is to be said of each answer given, the worst first."""
        reasons = [self.verdicts[item] for item in situation.items() if item in self.verdicts]
        return sorted(reasons, key=lambda verdict: -FITS.index(verdict.fit))

    def shown(self, task: str | None) -> Outcome | None:
        """Its numbers on a task, or their means over those that methods are compared on; None where it lacks one."""
        return mean_outcome(self._of(task))

    def score(self, task: str | None) -> float:
        """By what it is ranked: the score on a task, or the mean over the same ones; 0 where there is no number."""
        scores = [outcome.score for outcome in self._of(task)]
        return statistics.fmean(scores) if scores else 0.0

    def _of(self, task: str | None) -> list[Outcome]:
        wanted = (task,) if task else tuple(self.outcomes) if self.compared is None else self.compared
        return [self.outcomes[name] for name in wanted] if all(name in self.outcomes for name in wanted) else []


def compared_on(measured: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The tasks over which a mean is fair, as nearly all methods were measured on them; at least the one with the most.

    Tasks differ in how hard they are: of two methods, one measured on all of them and one on the easiest alone, the
    second would look better.

    Args:
        measured: task and method of everything that was measured.
    """
    by_task: dict[str, set[str]] = {}
    for task, method in measured:
        by_task.setdefault(task, set()).add(method)
    methods = set().union(*by_task.values())
    nearly_all = tuple(task for task, found in by_task.items() if len(found) >= NEARLY_ALL * len(methods))
    return nearly_all or tuple(sorted(by_task, key=lambda task: -len(by_task[task]))[:1])


def questions(tasks: Iterable[Implementation]) -> tuple[Question, ...]:
    """The questions, in the order in which they are asked; what must be forgotten is one of the tasks."""
    return (
        Question(
            "access",
            "What can you reach?",
            (
                Option("prompts", "Only prompts and answers, as behind an API"),
                Option("weights", "The weights of a trained model"),
                Option("training", "The training itself, from its start"),
            ),
        ),
        Question(
            "retain",
            "Do you have examples of what must stay?",
            (Option("yes", "Yes, as many as of what must go"), Option("no", "No")),
        ),
        Question(
            "memory",
            "While the model unlearns, what else fits into memory?",
            (
                Option("none", "No further model"),
                Option("one", "One more of its size"),
                Option("several", "Several more"),
            ),
        ),
        Question(TASK, "What must be forgotten?", tuple(Option(task.id, task.forgets or task.title) for task in tasks)),
        Question(
            "guarantee",
            "How sure must it be?",
            (
                Option("exact", "Exact: as if it had never been trained on"),
                Option("approximate", "Approximate: near that, as measured"),
            ),
        ),
        Question(
            "requests",
            "How often will you be asked to forget?",
            (Option("one", "Once"), Option("many", "Again and again")),
        ),
    )


def candidates(
    methods: Iterable[Implementation], tasks: Iterable[Implementation], results: Sequence[Result]
) -> tuple[Candidate, ...]:
    """Every method with its verdicts and numbers, by id."""
    measured = outcomes(results, {task.id: task.headline for task in tasks})
    compared = compared_on(measured)
    courses_by_method = courses(results)
    return tuple(
        Candidate(
            implementation,
            verdicts(implementation, courses_by_method.get(implementation.id)),
            {task: outcome for (task, method), outcome in measured.items() if method == implementation.id},
            compared,
        )
        for implementation in sorted(methods, key=lambda implementation: implementation.id)
    )


def ranked(found: Iterable[Candidate], situation: Situation) -> list[Candidate]:
    """Those that fit before those that do not, those that lack least, and among equals those with the best numbers."""

    def place(candidate: Candidate) -> tuple[int, int, float, str]:
        lacking = sum(verdict.fit == "no" for verdict in candidate.reasons(situation))
        return FITS.index(candidate.fit(situation)), lacking, -candidate.score(situation.get(TASK)), candidate.method.id

    return sorted(found, key=place)


def verdicts(method: Implementation, course: Course | None = None) -> dict[tuple[str, str], Verdict]:
    """What is to be said of a method for every question and option but the task's.

    Args:
        method: what needs something.
        course: what several requests left of its utility, where that was measured.
    """
    return {
        **{("access", option): _access(method, option) for option in ACCESS},
        ("retain", "yes"): _with_retain(method),
        ("retain", "no"): _without_retain(method),
        **{("memory", option): _memory(method, room) for option, room in (("none", 0), ("one", 1), ("several", None))},
        ("guarantee", "exact"): _exact(method),
        ("guarantee", "approximate"): _approximate(method),
        ("requests", "one"): Verdict("yes", "serves a single request"),
        ("requests", "many"): _many(method, course),
    }


def command(method: Implementation, situation: Situation) -> str:
    """What runs a method on a model and data of one's own in that situation."""
    without = situation.get("retain") == "no" and _switched_off(method)
    setting = f" --set {RETAIN_WEIGHT}=0" if without else ""
    earlier = " --earlier DIR" if method.needs.earlier != "unused" else ""
    model = f"--model {shlex.quote(situation.get(MODEL, 'DIR'))}{earlier}"
    return f"unlearn run {method.id}{setting} {model} --forget forget.jsonl --retain retain.jsonl --out unlearned"


def _access(method: Implementation, option: str) -> Verdict:
    wanted = method.needs.access
    enough = ACCESS.index(option) >= ACCESS.index(wanted)
    if wanted == "prompts":
        return Verdict("yes", "works on the prompt alone, and changes nothing inside the model")
    if method.needs.experts and enough:
        return Verdict("but", "works inside a mixture of experts, and no other model")
    if method.needs.earlier == "needed" and option == "weights":
        return Verdict("but", "needs the weights as they were before the data was met, too")
    if wanted == "weights":
        return Verdict(*(("yes", "works inside the trained model") if enough else ("no", "needs the model's weights")))
    return Verdict(
        *(("yes", "keeps the data apart from the start") if enough else ("no", "has to be there when training starts"))
    )


def _with_retain(method: Implementation) -> Verdict:
    says = {
        "needed": "learns from what must stay, too",
        "optional": "holds on to what must stay",
        "unused": "never looks at what must stay",
    }
    return Verdict("yes", says[method.needs.retain])


def _without_retain(method: Implementation) -> Verdict:
    if method.needs.retain == "needed":
        return Verdict("no", "needs examples of what must stay")
    if method.needs.retain == "unused":
        return Verdict("yes", "never looks at what must stay")
    weight = next(
        (hyperparameter for hyperparameter in method.hyperparameters if hyperparameter.name == RETAIN_WEIGHT), None
    )
    if weight is None:
        return Verdict("but", "makes do with any other examples; its numbers are of runs with such as must stay")
    if weight.default == 0:
        return Verdict("yes", "does without them, as published")
    return Verdict("but", f"does without them at {RETAIN_WEIGHT}=0; its numbers are of runs with them")


def _switched_off(method: Implementation) -> bool:
    named = any(hyperparameter.name == RETAIN_WEIGHT for hyperparameter in method.hyperparameters)
    return method.needs.retain == "optional" and named


def _memory(method: Implementation, room: int | None) -> Verdict:
    copies = method.needs.copies
    if not copies:
        return Verdict("yes", "has no other model beside it")
    held = "a second model" if copies == 1 else f"{copies} further models"
    return Verdict("yes" if room is None or copies <= room else "no", f"holds {held} in memory")


def _exact(method: Implementation) -> Verdict:
    if method.needs.exact:
        return Verdict("yes", "leaves what training without the data gives, on a base that never saw it")
    return Verdict("no", "comes near it at best, as measured")


def _approximate(method: Implementation) -> Verdict:
    return Verdict("yes", "is exact, which is more" if method.needs.exact else "comes near the retrained model")


def _many(method: Implementation, course: Course | None) -> Verdict:
    if method.needs.separate:
        return Verdict("yes", "serves each request by itself, so nothing adds up")
    if course is None:
        return Verdict("but", "goes on from what the last request left; how that adds up was not measured")
    kept = f"{course.last:.2f} of utility are left after {course.requests} requests on {course.task}"
    return Verdict("but", f"goes on from what the last request left: {kept}, {course.first:.2f} after the first")
