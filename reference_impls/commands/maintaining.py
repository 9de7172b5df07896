"""``unlearn bench``, ``page-models``, ``make-task`` and ``new``: results, models and methods of the project."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from catalog.base.project import NoProjectError, Project
from catalog.model.page_models import FOLDER
from catalog.model.results import EMBEDDED
from reference_impls.commands.shared import (
    ForgetShare,
    Requests,
    showing_progress,
)
from reference_impls.errors import UnknownNameError, UsageError
from reference_impls.running.registry import (
    DEFAULT_TASK,
    RESULTS,
    find_embedded,
    find_method,
    methods,
    other_models,
    recipes,
    ships,
    tasks,
)

if TYPE_CHECKING:
    from catalog.model.architectures import Outcome
    from reference_impls.running.experiment import Experiment

PANEL = "Maintain"
METRICS = "metrics"
"""Stands in the place of methods' ids: the metrics themselves are to be measured."""
OUTCOMES: dict[Outcome, str] = {"runs": "run", "refused": "are refused", "fails": "fail"}
"""How methods come out on an architecture, in words."""
Answer = TypeVar("Answer")
OtherModel = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Another model that the task ships checkpoints of, such as smollm2."),
]
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn bench --resume`   `unlearn bench npo rmu --task hazards`   "
    "`unlearn bench npo --task passages --requests 4`   `unlearn bench npo --check`   "
    "`unlearn bench npo --task authors --model smollm2`   `unlearn bench metrics --task authors`",
)
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Ids of methods; all with a recipe by default.")] = None,
    task: Annotated[str, typer.Option("--task", "-t", help="A task's id; all by default.")] = "all",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, ...")] = 3,
    resume: Annotated[bool, typer.Option("--resume", help="Leave runs alone whose record is there.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Run recorded ones again and compare; writes nothing, ends with 1 if off.")
    ] = False,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="With --check: how far a number may be off. Default: 0.01.")
    ] = None,
    forget_share: ForgetShare = 1.0,
    requests: Requests = 1,
    model: OtherModel = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time; as many as cores by default.")] = None,
) -> None:
    """Run methods with several seeds, attack what they leave, and keep the records for the leaderboard.

    In the place of methods, `metrics` measures the metrics themselves, on models of which it is known what they know.
    """
    from reference_impls.running.bench import plan, recorded, run_and_record

    if task != "all":
        _check_ships(task, model)
    chosen = [name for name in tasks() if ships(name, model)] if task == "all" else [task]
    if names == [METRICS]:
        if model is not None:
            raise UsageError("The metrics are measured on pools of the embedded model: leave --model out.")
        _bench_metrics(chosen, workers)
        return
    given = [find_method(name).id for name in names or ()]
    runs = [
        experiment
        for task_id in chosen
        for experiment in plan(
            given or sorted(recipes(task_id, model or EMBEDDED)), task_id, seeds, forget_share, requests, model
        )
    ]
    if check:
        _check_records([experiment for experiment in runs if recorded(experiment)], tolerance, workers)
        return
    wanted = [experiment for experiment in runs if not (resume and recorded(experiment))]
    _run_all(run_and_record, wanted, workers)
    print(f"{len(wanted)} new records in {RESULTS}.")


@app.command(
    "page-models",
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn page-models`   `unlearn page-models npo rmu`, then `catalog site build`",
)
def page_models(
    names: Annotated[list[str] | None, typer.Argument(help="Ids of methods; all with a recipe by default.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where to; build/page-models if absent.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time; as many as cores by default.")] = None,
) -> None:
    """Make the small models that visitors of the site's method pages ask in their browser.

    Each is the embedded model after a method with its recipe, in 8 bits, about a megabyte. `catalog site build` takes
    them over where they are.
    """
    from reference_impls.running.page_models import make_page_models

    task = find_embedded(DEFAULT_TASK)
    chosen = sorted({find_method(name).id for name in names or recipes(DEFAULT_TASK, EMBEDDED)})
    folder = out or _build_folder() / FOLDER
    with showing_progress() as progress:
        made = make_page_models(task, chosen, folder, progress, workers)
    for method, reason in made.left_out.items():
        print(f"{method} is left out: {reason}.")
    print(f"{len(made.models)} models in {folder}; `catalog site build` takes them over.")


def _build_folder() -> Path:
    """Where a checkout keeps what is made from it.

    Raises:
        UsageError: this is no checkout.
    """
    try:
        return Project.find().build
    except NoProjectError:
        raise UsageError("This is no checkout, in which they would go into build/. Say where to: --out DIR.") from None


def _check_ships(task: str, model: str | None) -> None:
    """Look whether there is such a task, and whether it ships checkpoints of a model.

    Raises:
        UsageError: it is none, or does not.
    """
    find_embedded(task)
    if not ships(task, model):
        others = ", ".join(other_models(task)) or "none but the embedded one"
        raise UsageError(f"{task} ships no checkpoints of {model!r}: {others}.")


def _bench_metrics(chosen: list[str], workers: int | None) -> None:
    from reference_impls.running.checkpoints import folder
    from reference_impls.running.pools import measure_metrics, some_of_each_family
    from reference_impls.toolkit import EmbeddedTask

    for name in chosen:
        task = find_embedded(name)
        if not isinstance(task, EmbeddedTask) or not folder(task, "base").is_dir():
            print(f"{name}: left out, for it ships no base model; `unlearn make-task {name}` makes one.")
            continue
        with showing_progress() as progress:
            pools = measure_metrics(task, some_of_each_family(recipes(name)), progress, workers)
        print(f"{name}: {len(pools.models)} models of two pools, {len(pools.shaken)} shaken, {pools.seconds:.0f} s.")


def _run_all(function: Callable[[Experiment], Answer], runs: list[Experiment], workers: int | None) -> list[Answer]:
    """``function`` of each run, with a progress bar."""
    from reference_impls.running.parallel import run_all

    with showing_progress() as progress:
        finished: list[Experiment] = []

        def done(experiment: Experiment, _: Answer) -> None:
            finished.append(experiment)
            progress(f"{len(finished)}/{len(runs)} runs, last {experiment.title}", len(finished), len(runs))

        progress(f"0/{len(runs)} runs", 0, len(runs))
        return run_all(function, runs, done, workers)


def _check_records(runs: list[Experiment], tolerance: float | None, workers: int | None) -> None:
    from reference_impls.running.bench import TOLERANCE, run_again

    allowed = TOLERANCE if tolerance is None else tolerance
    if not runs:
        raise UsageError("There is no record of such a run. Without --check, it is made.")
    apart = _run_all(run_again, runs, workers)
    off = 0
    for experiment, numbers in zip(runs, apart, strict=True):
        name, largest = max(numbers.items(), key=lambda item: item[1])
        off += largest > allowed
        verdict = f"off by {largest:.2g} in {name}" if largest > allowed else f"within {largest:.2g}"
        print(f"{experiment.title}: {verdict}")
    print(f"{len(runs) - off} of {len(runs)} records come out again within {allowed:g}.")
    if off:
        sys.exit(1)


@app.command(epilog="Examples: `unlearn architectures`   `unlearn architectures rome memit`", rich_help_panel=PANEL)
def architectures(
    names: Annotated[list[str] | None, typer.Argument(help="Ids of methods; all by default.")] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(help="A `model_type` as the table names it, any number of times; all by default."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")] = None,
) -> None:
    """Try every method on a small network of every architecture, and keep what runs and what is refused."""
    chosen = [find_method(name) for name in names] if names else methods()
    from reference_impls.models.architectures import ALL
    from reference_impls.running.matrix import FILE, try_all

    for name in family or ():
        if name not in ALL:
            raise UnknownNameError("architecture", name, ALL)
    with showing_progress() as progress:
        table = try_all(chosen, progress, workers, family or ALL)
    for name, architecture in table.families.items():
        counts = (
            f"{architecture.count(outcome)} {word}" for outcome, word in OUTCOMES.items() if architecture.count(outcome)
        )
        print(f"{name}: {', '.join(counts)}")
        for method, tried in architecture.methods.items():
            if tried.outcome == "fails":
                print(f"  {method}: {tried.said}")
    print(f"Written: {FILE}")


@app.command(
    "make-task",
    epilog="Examples: `unlearn make-task authors`   `unlearn make-task authors --model smollm2`",
    rich_help_panel=PANEL,
)
def make_task(task: Annotated[str, typer.Argument(help="A task's id.")], model: OtherModel = None) -> None:
    """Train the checkpoints that ship with a task: its target and its retrained model."""
    _check_ships(task, model)
    chosen = find_embedded(task, model=model)
    from reference_impls.running import make_task as making
    from reference_impls.toolkit import EmbeddedTask

    if not isinstance(chosen, EmbeddedTask):
        raise UsageError(f"The task {task!r} has no models to be made.")
    with showing_progress() as progress:
        records = making.make(chosen, RESULTS, progress)
    from reference_impls.commands.printing import print_references

    print_references(records["target"], records["retrained"])


@app.command(
    epilog="Examples: `unlearn new moon --paper zhang2024negative`   `unlearn new my-probe --kind attack --paper ID`",
    rich_help_panel=PANEL,
)
def new(
    name: Annotated[str, typer.Argument(help="The id that it gets, in small letters with dashes.")],
    kind: Annotated[str, typer.Option(help="method, attack, metric or task.")] = "method",
    paper: Annotated[str | None, typer.Option(help="Id of the record of the paper that it follows.")] = None,
    family: Annotated[str | None, typer.Option(help="A method's family, if its paper's is not meant.")] = None,
) -> None:
    """All that makes a new method, attack, metric or task run and be shown, ready to fill in."""
    from reference_impls.commands.scaffold import KINDS, add

    if kind not in KINDS:
        raise UnknownNameError("kind of addition", kind, KINDS)
    files = add(kind, name, paper, family)
    test = next(file for file in files if file.startswith("tests/"))
    run = {
        "method": f"unlearn run {name}",
        "attack": f"unlearn attack {name} MODEL",
        "metric": "",
        "task": f"unlearn make-task {name}",
    }
    print("\n".join(files))
    print(f"\nTest it: pytest {test}" + (f"\nRun it:  {run[kind]}" if run[kind] else ""))
    print("What else there is to do: CONTRIBUTING.md")
