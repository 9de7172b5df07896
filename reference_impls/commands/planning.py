"""``unlearn plan``: which methods fit what one has, with the reasons and the numbers of the committed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.base.terminal import print_json
from catalog.model.choosing import MODEL, TASK, Candidate, Question, Situation, candidates, command, questions, ranked
from catalog.model.results import read_results
from reference_impls.commands.shared import (
    DType,
    GradientCheckpointing,
    Json,
    TrustRemoteCode,
    UseLoRA,
    plain,
    scaling_of,
)
from reference_impls.errors import UnknownNameError, UsageError
from reference_impls.running.registry import PACKAGE, RESULTS, implementations, methods

if TYPE_CHECKING:
    from rich.console import Console

    from reference_impls.running.planning import Plan

PANEL = "Look"
app = typer.Typer()

Access = Annotated[str | None, typer.Option(help="What can be reached: prompts, weights or training.")]
Retain = Annotated[str | None, typer.Option(help="Examples of what must stay: yes or no.")]
Memory = Annotated[
    str | None, typer.Option(help="Room for further models beside the one that unlearns: none, one or several.")
]
Forget = Annotated[str | None, typer.Option(help="What must be forgotten: the task that is most like it.")]
Guarantee = Annotated[str | None, typer.Option(help="How sure it must be: exact or approximate.")]
Requests = Annotated[str | None, typer.Option(help="How often it is asked for: one or many.")]


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples: `unlearn plan --access weights --retain no`   `unlearn plan --access prompts --forget hazards`   "
    "`unlearn plan --guarantee exact --json`",
)
def plan(
    access: Access = None,
    retain: Retain = None,
    memory: Memory = None,
    forget: Forget = None,
    guarantee: Guarantee = None,
    requests: Requests = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A folder or hub name of a causal LM, to see what fits it."),
    ] = None,
    dtype: DType = None,
    lora: UseLoRA = False,
    gradient_checkpointing: GradientCheckpointing = False,
    trust_remote_code: TrustRemoteCode = False,
    examples: Annotated[int, typer.Option(min=1, help="With --model: how many examples must be forgotten.")] = 400,
    tokens: Annotated[int, typer.Option(min=2, help="With --model: tokens of an example, prompt and answer.")] = 128,
    room: Annotated[
        float | None, typer.Option(min=0, help="With --model: gigabytes of memory; those of this machine by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what you have, and see which methods fit, why, and how they did; what you leave out rules nothing out.

    With --model every method also says whether it runs on that architecture, and about how much memory and time it
    takes there. No weight is read.
    """
    tasks = [implementation for implementation in implementations().values() if implementation.kind == "task"]
    asked = questions(tasks)
    given = {
        "access": access,
        "retain": retain,
        "memory": memory,
        TASK: forget,
        "guarantee": guarantee,
        "requests": requests,
    }
    situation = _situation(asked, given)
    results, problems = read_results(RESULTS, PACKAGE.parent)
    if problems:
        first = problems[0]
        raise UsageError(f"{first.file}:{first.line}: {first.message} {first.hint}")
    found: Sequence[Candidate] = candidates(methods(), tasks, results)
    on_model: Plan | None = None
    if model is None:
        said = {"--dtype": dtype, "--lora": lora, "--gradient-checkpointing": gradient_checkpointing, "--room": room}
        if alone := [option for option, value in said.items() if value]:
            raise UsageError(f"{alone[0]} says something of a model: name it with --model DIR_OR_NAME.")
    else:
        from reference_impls.models.loading import Loading
        from reference_impls.running.planning import On, planned

        loading = Loading(dtype=dtype, trust_remote_code=trust_remote_code)
        scaling = scaling_of(lora, None, None, None, 1, gradient_checkpointing, None)
        on_model = planned(found, results, On(model, loading, scaling, examples, tokens, room))
        found = on_model.candidates
        situation = {**situation, MODEL: model}
    ranking = ranked(found, situation)
    if as_json:
        print_json([_as_json(candidate, situation, on_model) for candidate in ranking])
        return
    _print(asked, ranking, situation, on_model)


def _situation(asked: Sequence[Question], given: Mapping[str, str | None]) -> Situation:
    """The answers that were given.

    Raises:
        UnknownNameError: one is none of its question's.
    """
    situation = {}
    for question in asked:
        answer = given[question.id]
        options = {option.id for option in question.options}
        if answer is not None and answer not in options:
            raise UnknownNameError(f"answer to --{question.id}", answer, sorted(options))
        if answer is not None:
            situation[question.id] = answer
    return situation


def _as_json(candidate: Candidate, situation: Situation, on_model: Plan | None) -> dict[str, Any]:
    return {
        "method": candidate.method.id,
        "fits": candidate.fit(situation),
        "reasons": [{"fits": reason.fit, "why": reason.why} for reason in candidate.reasons(situation)],
        "outcomes": {
            task: {
                "forgets": outcome.forgets,
                "keeps": outcome.keeps,
                "withstands": outcome.withstands,
                "seconds": outcome.seconds,
            }
            for task, outcome in candidate.outcomes.items()
        },
        **({"estimate": _demanded(on_model, candidate.method.id)} if on_model else {}),
        "command": command(candidate.method, situation),
    }


def _demanded(on_model: Plan, method: str) -> dict[str, Any] | None:
    one = on_model.demands.get(method)
    if one is None:
        return None
    seconds = on_model.seconds(method)
    return {"bytes": [round(one.least), round(one.most)], "operations": one.operations, "seconds": seconds}


def _print(
    asked: Sequence[Question],
    ranking: Sequence[Candidate],
    situation: Situation,
    on_model: Plan | None,
) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for question in asked:
        label = next((option.label for option in question.options if option.id == situation.get(question.id)), None)
        answer = plain(label) if label else f"[dim]open: --{question.id} {'|'.join(o.id for o in question.options)}[/]"
        console.print(f"{question.text} {answer}")
    fitting = [candidate for candidate in ranking if candidate.fit(situation) != "no"]
    if fitting:
        console.print(f"\n[bold]{len(fitting)} of {len(ranking)} methods fit[/], those with the best numbers first.")
        _print_fitting(console, fitting, situation, on_model)
    else:
        console.print("\n[bold]No method that runs here fits all of this.[/] Those that lack least are first.")
    unfitting = [candidate for candidate in ranking if candidate.fit(situation) == "no"]
    if unfitting:
        console.print("\n[bold]These do not[/]")
    for candidate in unfitting:
        console.print(
            f"{candidate.method.id}: {plain('; '.join(v.why for v in candidate.reasons(situation) if v.fit == 'no'))}"
        )
    if fitting:
        console.print(f"\nOn your own model: [bold]{plain(command(fitting[0].method, situation))}[/]")


def _print_fitting(
    console: Console,
    fitting: Sequence[Candidate],
    situation: Situation,
    on_model: Plan | None,
) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("method", style="bold", no_wrap=True)
    for heading in ("forgets", "keeps", "withstands", "seconds"):
        table.add_column(heading, justify="right")
    if on_model:
        table.add_column("hours", justify="right")
    table.add_column("why")
    for candidate in fitting:
        reasons = [("but " if verdict.fit == "but" else "") + verdict.why for verdict in candidate.reasons(situation)]
        numbers = _numbers(candidate, situation.get(TASK))
        if on_model:
            seconds = on_model.seconds(candidate.method.id)
            numbers.append("" if seconds is None else _hours(seconds))
        table.add_row(candidate.method.id, *numbers, plain("; ".join(reasons)))
    console.print(table)
    compared = fitting[0].compared or ()
    nearly_all = f"on {' and '.join(compared)}, where nearly all methods were"
    where = f"on {situation[TASK]}" if TASK in situation else nearly_all if compared else "nowhere yet"
    console.print(
        f"[dim]Measured with the embedded model {where}: how far towards the retrained model (1), what is left of the "
        "utility, and how far it still is after relearning. A model of a million parameters says little of how much.[/]"
    )
    if on_model:
        console.print(
            "[dim]Memory is of the weights, what training adds to them and what a batch leaves; hours are those of the "
            f"training alone at {on_model.rate / 10**12:.2g} trillion operations a second, which this machine may "
            "reach. Both are estimated from the model's configuration, and good to about a third.[/]"
        )


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 else f"{hours:.2g}"


def _numbers(candidate: Candidate, task: str | None) -> list[str]:
    shown = candidate.shown(task)
    if shown is None:
        return ["", "", "", ""]
    shares = (shown.forgets, shown.keeps, shown.withstands)
    return [*("" if share is None else f"{share:.2f}" for share in shares), f"{shown.seconds:.1f}"]
