"""``unlearn plan``: which methods fit what one has, with the reasons and the numbers of the committed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.base.terminal import print_json
from catalog.model.choosing import TASK, Candidate, Question, Situation, candidates, command, questions, ranked
from catalog.model.results import read_results
from reference_impls.commands.shared import Json, plain
from reference_impls.errors import UnknownNameError, UsageError
from reference_impls.running.registry import PACKAGE, RESULTS, implementations, methods

if TYPE_CHECKING:
    from rich.console import Console

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
    as_json: Json = False,
) -> None:
    """Say what you have, and see which methods fit, why, and how they did; what you leave out rules nothing out."""
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
    ranking = ranked(candidates(methods(), tasks, results), situation)
    if as_json:
        print_json([_as_json(candidate, situation) for candidate in ranking])
        return
    _print(asked, ranking, situation)


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


def _as_json(candidate: Candidate, situation: Situation) -> dict[str, Any]:
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
        "command": command(candidate.method, situation),
    }


def _print(asked: Sequence[Question], ranking: Sequence[Candidate], situation: Situation) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for question in asked:
        label = next((option.label for option in question.options if option.id == situation.get(question.id)), None)
        answer = plain(label) if label else f"[dim]open: --{question.id} {'|'.join(o.id for o in question.options)}[/]"
        console.print(f"{question.text} {answer}")
    fitting = [candidate for candidate in ranking if candidate.fit(situation) != "no"]
    if fitting:
        console.print(f"\n[bold]{len(fitting)} of {len(ranking)} methods fit[/], those with the best numbers first.")
        _print_fitting(console, fitting, situation)
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


def _print_fitting(console: Console, fitting: Sequence[Candidate], situation: Situation) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("method", style="bold", no_wrap=True)
    for heading in ("forgets", "keeps", "withstands", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("why")
    for candidate in fitting:
        reasons = [("but " if verdict.fit == "but" else "") + verdict.why for verdict in candidate.reasons(situation)]
        table.add_row(candidate.method.id, *_numbers(candidate, situation.get(TASK)), plain("; ".join(reasons)))
    console.print(table)
    compared = fitting[0].compared or ()
    nearly_all = f"on {' and '.join(compared)}, where nearly all methods were"
    where = f"on {situation[TASK]}" if TASK in situation else nearly_all if compared else "nowhere yet"
    console.print(
        f"[dim]Measured with the embedded model {where}: how far towards the retrained model (1), what is left of the "
        "utility, and how far it still is after relearning. A model of a million parameters says little of how much.[/]"
    )


def _numbers(candidate: Candidate, task: str | None) -> list[str]:
    shown = candidate.shown(task)
    if shown is None:
        return ["", "", "", ""]
    shares = (shown.forgets, shown.keeps, shown.withstands)
    return [*("" if share is None else f"{share:.2f}" for share in shares), f"{shown.seconds:.1f}"]
