"""The command ``unlearn``: run the methods, look at what they do, and compare them."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reference_impls.registry import (
    DEFAULT_TASK,
    PACKAGE,
    RESULTS,
    UsageError,
    attacks,
    find_attack,
    find_method,
    find_task,
    implementations,
    methods,
    recipes,
    tasks,
)

if TYPE_CHECKING:
    from catalog.implementations import Implementation
    from reference_impls.runner import Outcome
    from reference_impls.tasks import Task

app = typer.Typer(
    help="Run the reference implementations of LLM-unlearning methods.\n\n"
    "Without --model, the embedded model of about a million parameters is used: a first result takes seconds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
TaskName = Annotated[str, typer.Option("--task", "-t", help="What to forget and keep.")]
Seed = Annotated[
    int, typer.Option("--seed", "-s", min=0, max=2**32 - 1, help="Decides everything that is drawn at random.")
]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter; may be given several times.")
]
LearningRate = Annotated[float | None, typer.Option(min=0, help="Instead of the recipe's.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
ForgetShare = Annotated[
    float, typer.Option(min=0, max=1, help="Forget only this share of the forget set; the rest is left alone.")
]
Requests = Annotated[
    int, typer.Option(min=1, help="Forget it in so many requests, one after another, each a run of its own.")
]


def main() -> None:
    """The console command. Errors of use exit with status 2 and one message, never a traceback."""
    try:
        app()
    except UsageError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _fail(message: str) -> None:
    from rich.console import Console

    Console(stderr=True, soft_wrap=True).print(f"[bold red]unlearn:[/] {_plain(message)}", highlight=False)
    sys.exit(2)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@app.command("list", epilog="Example: `unlearn list --json`")
def list_methods(as_json: Json = False) -> None:
    """The methods that run, with family, place of action and paper."""
    if as_json:
        _print_json([_summary(one) for one in methods()])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("id", "name", "family", "acts on", "paper"):
        table.add_column(heading)
    for one in methods():
        table.add_row(one.id, one.title, one.family, one.acts_on, one.paper)
    console = Console()
    console.print(table)
    console.print("\nA method in detail: [bold]unlearn show NAME[/]   Run it: [bold]unlearn run NAME[/]")


@app.command(epilog="Example: `unlearn show npo`")
def show(
    method: Annotated[str, typer.Argument(help="A method's id, as in `unlearn list`.")], as_json: Json = False
) -> None:
    """One method: what it does, its hyper-parameters with their sources, and its file."""
    found = find_method(method)
    if as_json:
        _print_json({**_summary(found), "description": f"{found.summary}\n\n{found.body}"})
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{_plain(found.title)}[/]  [dim]{_plain(found.file)}[/]\n")
    console.print(Markdown(f"{found.summary}\n\n{found.body}"))
    if found.hyperparameters:
        table = Table(title="Hyper-parameters", title_justify="left", box=None, header_style="bold", pad_edge=False)
        for heading in ("name", "default", "allowed", "meaning", "source of the default"):
            table.add_column(heading)
        for one in found.hyperparameters:
            table.add_row(one.name, repr(one.default), one.range, one.meaning, one.source)
        console.print()
        console.print(table)
    console.print(f"\nPaper: [bold]{found.paper}[/]   Run it: [bold]unlearn run {found.id}[/]")


@app.command(epilog="Example: `unlearn new my-method --paper zhang2024negative`")
def new(
    method: Annotated[str, typer.Argument(help="The id that it gets, in small letters with dashes.")],
    paper: Annotated[str, typer.Option(help="Id of the record of the paper that it follows.")] = "unknown",
) -> None:
    """A new method's file and its test, ready to fill in."""
    from reference_impls.scaffold import new_method

    file, test = (path.relative_to(PACKAGE.parent).as_posix() for path in new_method(method, paper))
    print(f"{file}\n{test}\n\nRun it:  unlearn run {method}\nTest it: pytest {test}")


@app.command(
    epilog="Examples: `unlearn run npo`   `unlearn run npo --set beta=0.5 --seed 1`   "
    "`unlearn run npo --task passages --requests 4`   "
    "`unlearn run npo --model DIR --forget forget.jsonl --retain retain.jsonl --out unlearned`"
)
def run(
    method: Annotated[str, typer.Argument(help="A method's id, as in `unlearn list`.")],
    task: TaskName = DEFAULT_TASK,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A folder or hub name of a causal LM, or `smollm2`.")
    ] = None,
    seed: Seed = 0,
    settings: Settings = [],  # noqa: B006 (typer reads the default)
    forget: Annotated[Path | None, typer.Option(help="JSON Lines of what to forget, instead of a task.")] = None,
    retain: Annotated[Path | None, typer.Option(help="JSON Lines of what to keep.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="JSON Lines like the forget set, never trained on.")] = None,
    learning_rate: LearningRate = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    forget_share: ForgetShare = 1.0,
    requests: Requests = 1,
    out: Annotated[Path | None, typer.Option(help="Save the model, a model card and the record there.")] = None,
    attacked: Annotated[bool, typer.Option("--attacks", help="Then try to get it back, with every attack.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the record in the repository's results.")] = False,
    as_json: Json = False,
) -> None:
    """Unlearn with one method and show what it did: before, after, and the retrained model."""
    found = find_method(method)
    chosen = _task(task, model, forget, retain, holdout)
    values = _settings(settings)
    if not forget_share:
        raise UsageError("--forget-share 0 leaves nothing to forget; give a share above 0.")
    if record and (model or forget):
        raise UsageError(
            "--record is for the embedded model and task, so that the leaderboard compares like with like."
        )
    if out:
        from reference_impls.saving import prepare_folder

        prepare_folder(out)
    from reference_impls.runner import result_path, run_method, write_record

    recipe = {"learning_rate": learning_rate, "steps": steps, "batch_size": batch_size}
    command = _command(
        found,
        chosen,
        seed=seed,
        recipe=recipe,
        settings=settings,
        model=model,
        forget=forget,
        retain=retain,
        holdout=holdout,
        forget_share=None if forget_share == 1 else f"{forget_share:g}",
        requests=None if requests == 1 else requests,
    )
    with _progress(hide=as_json) as progress:
        outcome = run_method(
            found,
            chosen,
            model=model,
            seed=seed,
            settings=values,
            recipe=recipe,
            forget_share=forget_share,
            requests=requests,
            attacks=attacked or record,
            command=command,
            progress=progress,
        )
    if out:
        from reference_impls.saving import save

        save(out, outcome.model, found, outcome.result)
    if record:
        write_record(outcome.result, result_path(outcome.result))
    if as_json:
        sys.stdout.write(outcome.result.to_json())
        return
    from reference_impls.report import print_run

    print_run(found, outcome)
    if out:
        print(f"\nSaved to {out}: a model that transformers loads, its card (README.md) and the record (result.json).")


@app.command(
    epilog="Examples: `unlearn compare npo grad-diff ga --out compare.svg`   "
    "`unlearn compare ga npo --learning-rate 5e-4` (alike for all, instead of each one's recipe)"
)
def compare(
    names: Annotated[list[str], typer.Argument(help="Ids of methods, as in `unlearn list`.")],
    task: TaskName = DEFAULT_TASK,
    seed: Seed = 0,
    learning_rate: LearningRate = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    out: Annotated[Path | None, typer.Option(help="Write the forget-versus-utility plot there, as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Run several methods and set them side by side."""
    found = [find_method(name) for name in names]
    chosen = find_task(task)
    from reference_impls.runner import run_method

    outcomes: list[Outcome] = []
    with _progress(hide=as_json) as progress:
        for one in found:

            def labelled(stage: str, done: int, total: int, name: str = one.id) -> None:
                progress(f"{name}: {stage}", done, total)

            recipe = {"learning_rate": learning_rate, "steps": steps, "batch_size": batch_size}
            command = _command(one, chosen, seed=seed, recipe=recipe)
            outcomes.append(run_method(one, chosen, seed=seed, recipe=recipe, command=command, progress=labelled))
    if out:
        from reference_impls.report import write_plot

        write_plot(outcomes, out)
    if as_json:
        _print_json([outcome.result.model_dump(mode="json") for outcome in outcomes])
        return
    from reference_impls.report import print_comparison

    print_comparison(found, outcomes)
    if out:
        print(f"\nPlot: {out}")


@app.command(
    "attack",
    epilog="Examples: `unlearn attack relearning unlearned`   `unlearn attack all unlearned --task authors --json`",
)
def attack_model(
    name: Annotated[str, typer.Argument(help="An attack's id, as in `unlearn attacks`, or `all`.")],
    model: Annotated[
        str, typer.Argument(help="What `unlearn run --out` saved; any folder or hub name of a causal LM.")
    ],
    task: TaskName = DEFAULT_TASK,
    forget: Annotated[Path | None, typer.Option(help="JSON Lines of what was forgotten, instead of a task.")] = None,
    retain: Annotated[Path | None, typer.Option(help="JSON Lines of what was kept.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Try to get back what a model has forgotten, and show how much of it the model then knows."""
    chosen = attacks() if name == "all" else [find_attack(name)]
    asked = _task(task, model, forget, retain, None)
    from reference_impls.runner import attack_saved

    with _progress(hide=as_json) as progress:
        found = attack_saved(model, asked, chosen, seed, progress)
    if as_json:
        _print_json(asdict(found))
        return
    from reference_impls.report import print_attacks

    print_attacks(f"{model} on {asked.name}", found.known, found.attacks, found.references)


@app.command("attacks", epilog="Example: `unlearn attacks --json`")
def list_attacks(as_json: Json = False) -> None:
    """The attacks that run."""
    if as_json:
        _print_json(
            [{"id": one.id, "name": one.title, "paper": one.paper, "summary": one.summary} for one in attacks()]
        )
        return
    for one in attacks():
        print(f"{one.id}: {one.summary}")


@app.command(epilog="Example: `unlearn chat npo`")
def chat(
    method: Annotated[str, typer.Argument(help="A method's id, as in `unlearn list`.")],
    task: TaskName = DEFAULT_TASK,
    seed: Seed = 0,
) -> None:
    """Ask the model before, after and without the forget set the same questions, one per line."""
    found, chosen = find_method(method), find_task(task)
    from reference_impls.chat import converse
    from reference_impls.runner import run_method

    with _progress() as progress:
        outcome = run_method(found, chosen, seed=seed, progress=progress)
    converse(chosen, found, outcome.model)


@app.command(
    epilog="Examples: `unlearn bench --resume`   `unlearn bench npo rmu --task hazards`   "
    "`unlearn bench npo --task passages --requests 4`"
)
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Ids of methods; all with a recipe by default.")] = None,
    task: Annotated[str, typer.Option("--task", "-t", help="A task's id; all by default.")] = "all",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, ...")] = 3,
    resume: Annotated[bool, typer.Option("--resume", help="Leave runs alone whose record is there.")] = False,
    forget_share: ForgetShare = 1.0,
    requests: Requests = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time; as many as cores by default.")] = None,
) -> None:
    """Run methods with several seeds, attack what they leave, and keep the records for the leaderboard."""
    from reference_impls.bench import Job, plan, run_job
    from reference_impls.parallel import run_all

    if task != "all":
        find_task(task)
    chosen = tasks() if task == "all" else [task]
    given = [find_method(name).id for name in names or ()]
    jobs = [
        job
        for one in chosen
        for job in plan(given or sorted(recipes(one)), one, seeds, resume, forget_share or 1.0, requests)
    ]
    with _progress() as progress:
        finished: list[Job] = []

        def done(job: Job, _: None) -> None:
            finished.append(job)
            last = f"{job.method} on {job.task} with seed {job.seed}"
            progress(f"{len(finished)}/{len(jobs)} runs, last {last}", len(finished), len(jobs))

        progress(f"0/{len(jobs)} runs", 0, len(jobs))
        run_all(run_job, jobs, done, workers)
    print(f"{len(jobs)} new records in {RESULTS}.")


@app.command(epilog="Example: `unlearn tune npo`")
def tune(
    names: Annotated[list[str] | None, typer.Argument(help="Ids of methods; all by default.")] = None,
    task: TaskName = DEFAULT_TASK,
) -> None:
    """Search for each method's recipe: the same number of trials for all, on a seed that no result uses."""
    found = [find_method(name) for name in names] if names else methods()
    chosen = find_task(task)
    from reference_impls.tuning import tune as search

    with _progress() as progress:
        winners = search(chosen, found, progress)
    for one in found:
        print(f"{one.id}: {winners[one.id]}")


@app.command("make-task", epilog="Example: `unlearn make-task authors`")
def make_task(task: Annotated[str, typer.Argument(help="A task's id.")]) -> None:
    """Train the checkpoints that ship with a task: its target and its retrained model."""
    chosen = find_task(task)
    from reference_impls import checkpoints
    from reference_impls.tasks import EmbeddedTask

    if not isinstance(chosen, EmbeddedTask):
        raise UsageError(f"The task {task!r} has no models to be made.")
    with _progress() as progress:
        records = checkpoints.make(chosen, RESULTS, progress)
    from reference_impls.report import print_references

    print_references(records["target"], records["retrained"])


@app.command("tasks", epilog="Example: `unlearn tasks --json`")
def list_tasks(as_json: Json = False) -> None:
    """The embedded tasks."""
    found = [one for one in implementations().values() if one.kind == "task"]
    if as_json:
        _print_json([{"id": one.id, "name": one.title, "paper": one.paper, "summary": one.summary} for one in found])
        return
    for one in found:
        print(f"{one.id}: {one.summary}")


def _task(task: str, model: str | None, forget: Path | None, retain: Path | None, holdout: Path | None) -> Task:
    if forget is None and retain is None and holdout is None:
        return find_task(task)
    if forget is None or retain is None:
        raise UsageError("Your own data needs both --forget FILE and --retain FILE.")
    if model is None:
        raise UsageError("Your own data needs a model that knows it: --model DIR_OR_NAME.")
    from reference_impls.tasks.files import FilesTask

    return FilesTask(forget, retain, holdout)


def _settings(given: list[str]) -> dict[str, str]:
    values = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, as in --set beta=0.1.")
        values[name.strip().replace("-", "_")] = value.strip()
    return values


def _command(
    method: Implementation,
    task: Task,
    *,
    seed: int,
    recipe: dict[str, Any],
    settings: list[str] = [],  # noqa: B006 (never changed)
    **options: object,
) -> str:
    """What reproduces a run: the shortest command that says all that was chosen."""
    words = ["unlearn", "run", method.id]
    if not options.get("forget"):
        words += ["--task", task.name]
    for name, value in {**options, "seed": seed, **recipe}.items():
        words += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
    for setting in settings:
        words += ["--set", setting]
    return shlex.join(words)


def _summary(method: Implementation) -> dict[str, Any]:
    return {
        "id": method.id,
        "name": method.name,
        "title": method.title,
        "summary": method.summary,
        "family": method.family,
        "acts_on": method.acts_on,
        "reference": method.reference,
        "papers": [method.paper],
        "hyperparameters": [
            {key: value for key, value in asdict(one).items() if key != "line"} for one in method.hyperparameters
        ],
        "file": f"{PACKAGE.name}/methods/{method.id.replace('-', '_')}.py",
    }


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def _progress(hide: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error, with time left; nothing where nobody looks."""
    from reference_impls.quiet import silence_libraries

    silence_libraries()
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if hide or not console.is_terminal:
        yield lambda stage, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task("starting", total=None)

        def report(stage: str, done: int, total: int) -> None:
            bar.update(row, description=stage, completed=done, total=total if total > 1 else None)

        yield report
