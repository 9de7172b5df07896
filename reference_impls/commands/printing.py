"""Runs as tables for the terminal, and as a plot."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from catalog.model.implementations import Implementation
from catalog.model.metrics import Metric, read_metrics
from catalog.model.results import Example, Result
from reference_impls.errors import UsageError
from reference_impls.running.records import reference_results
from reference_impls.running.registry import PACKAGE, find_embedded

if TYPE_CHECKING:
    from reference_impls.measuring.intervals import Estimate
    from reference_impls.running.audit import Audit
    from reference_impls.running.evaluate_saved import Evaluated
    from reference_impls.running.runner import Outcome


def print_run(method: Implementation, outcome: Outcome) -> None:
    """Before, after and retrained, and a few answers as the model gives them now."""
    console = Console()
    result = outcome.result
    title = f"{method.name} on {result.task} ({result.model}, seed {result.seed})"
    columns = [("before", outcome.before), ("after", result.metrics)]
    columns += [("retrained", outcome.retrained)] if outcome.retrained else []
    console.print(_metrics(title, columns, result.metrics, ["after"]))
    if result.stages:
        console.print()
        console.print(_stages(result))
    if result.attacks:
        references = reference_results(result.task, result.model)
        reference_attacks = {which: record.attacks for which, record in references.items()}
        console.print()
        print_attacks("Does it come back?", None, result.attacks, reference_attacks)
    _print_examples(console, result.examples)
    print_notes(result.notes)
    cost = f"{result.seconds:g} s, {result.forward_passes} forward and {result.backward_passes} backward passes"
    if result.recipe_source:
        said = [f"{name.replace('_', ' ')} {value:g}" for name, value in result.recipe.items()]
        console.print(
            f"\n[bold]Recipe[/]  {escape(', '.join(said))}. From: {escape(result.recipe_source)}.", highlight=False
        )
    console.print(f"\nUnlearning took {cost}. Again: [bold]{escape(result.command)}[/]", highlight=False)


def _stages(result: Result) -> Table:
    """One column per request, with what the model then knows of all that was requested so far."""
    table = _table("Request by request")
    for number in range(1, result.requests + 1):
        table.add_column(str(number), justify="right")
    for name in _present(result.stages[0]):
        table.add_row(_label(name), *(_number(_shown(name, stage.get(name))) for stage in result.stages))
    return table


def print_evaluation(found: Evaluated) -> None:
    """A saved model's metrics beside those of the task's own models, and a few of its answers."""
    console = Console()
    columns = [("this model", found.metrics), *found.references.items()]
    console.print(_metrics(f"{found.model} on {found.task}", columns, found.metrics, ["this model"]))
    _print_examples(console, found.examples)
    print_notes(found.notes)


def _print_examples(console: Console, examples: Sequence[Example]) -> None:
    asked = [example for example in examples if example.split == "forget"][:2]
    asked += [example for example in examples if example.split == "retain"][:1]
    for example in asked:
        question = example.prompt.strip().splitlines()[0] if example.prompt.strip() else "(text)"
        console.print(f"\n[dim]{example.split}[/]  {escape(question)}", highlight=False)
        console.print(f"  [dim]true[/]  {escape(example.answer)}", highlight=False)
        console.print(f"  [dim]now[/]   {escape(example.generated) or '[dim](nothing)[/]'}", highlight=False)


def print_attacks(
    title: str, known: float | None, attacks: dict[str, float], references: dict[str, dict[str, float]]
) -> None:
    """What attacks got out of a model, between the same attacks on the target and on the retrained model."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False)
    table.add_column("knows of the forget set")
    table.add_column("this model", justify="right", style="bold")
    for which in references:
        table.add_column(which, justify="right")
    if known is not None:
        table.add_row("Just asked", _number(known), *("" for _ in references))
    for name in (name for name in _definitions() if name in attacks):
        table.add_row(
            _label(name), _number(attacks[name]), *(_number(reference.get(name)) for reference in references.values())
        )
    Console().print(table)


def print_left_out(reasons: Mapping[str, str]) -> None:
    """Attacks that gave no number, and why."""
    console = Console(highlight=False)
    for title, reason in reasons.items():
        console.print(f"[dim]Left out: {escape(title)} ({escape(reason.rstrip('.'))}).[/]")


def print_notes(notes: Sequence[str]) -> None:
    """What one has to know besides the numbers."""
    for note in notes:
        Console(highlight=False).print(f"\n[bold]Note[/]  {escape(note)}")


def print_comparison(found: Sequence[Implementation], outcomes: Sequence[Outcome]) -> None:
    """One column per method, between the model before and the retrained one."""
    first = outcomes[0]
    names = [method.name for method in found]
    after = zip(names, (outcome.result.metrics for outcome in outcomes), strict=True)
    columns = [("before", first.before), *after, ("retrained", first.retrained)]
    title = f"{first.result.task} ({first.result.model}, seed {first.result.seed})"
    table = _metrics(title, columns, first.result.metrics, names)
    table.add_row("Seconds", "", *(f"{outcome.result.seconds:.1f}" for outcome in outcomes), "")
    Console().print(table)


def print_sweep(found: Sequence[Implementation], results: Sequence[Result]) -> None:
    """One column per method: means over its seeds, with standard deviations where there are several."""
    table = _table(f"{results[0].task} ({results[0].model})")
    runs = {method.name: [run.metrics for run in results if run.method == method.id] for method in found}
    runs = {name: seeds for name, seeds in runs.items() if seeds}
    for name, seeds in runs.items():
        table.add_column(f"{name} ({len(seeds)} seed{'s' * (len(seeds) > 1)})", justify="right")
    for metric in _present(results[0].metrics):
        table.add_row(
            _label(metric), *(_mean(metric, [metrics.get(metric) for metrics in seeds]) for seeds in runs.values())
        )
    Console().print(table)


def _mean(metric: str, values: Sequence[float | None]) -> str:
    shown = [number for value in values if (number := _shown(metric, value)) is not None]
    if len(shown) < 2:
        return _number(shown[0] if shown else None)
    return f"{_number(fmean(shown))} ± {_number(stdev(shown))}"


def print_references(target: Result, retrained: Result) -> None:
    """The two models of a task beside each other."""
    columns = [("target", target.metrics), ("retrained", retrained.metrics)]
    Console().print(_metrics(f"{target.task}: the models that ship with it", columns, target.metrics))


def write_plot(outcomes: Sequence[Outcome], path: Path) -> None:
    """Forgetting against utility, one mark per method, as SVG.

    Raises:
        UsageError: the file cannot be written.
    """
    from catalog.figures import Kind, Point, forget_utility_figure

    first = outcomes[0]
    across, up = find_embedded(first.result.task).headline, "model_utility"

    def point(label: str, metrics: dict[str, float], kind: Kind = "method") -> Point:
        return Point(label, metrics[across], metrics[up], kind)

    points = [point(outcome.result.method, outcome.result.metrics) for outcome in outcomes]
    points.append(point("target", first.before, "target"))
    if first.retrained:
        points.append(point("retrained", first.retrained, "retrained"))
    figure = forget_utility_figure(points, standalone=True, forget_label=_label(across), utility_label=_label(up))
    try:
        path.write_text(figure, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


def _metrics(
    title: str,
    columns: Sequence[tuple[str, Mapping[str, float]]],
    shown: Mapping[str, float],
    bold: Collection[str] = (),
) -> Table:
    """One column per model, one row for each metric of ``shown`` that is no detail."""
    table = _table(title)
    for heading, _ in columns:
        table.add_column(heading, justify="right", style="bold" if heading in bold else "")
    for name in _present(shown):
        table.add_row(_label(name), *(_number(_shown(name, metrics.get(name))) for _, metrics in columns))
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False)
    table.add_column("metric")
    return table


def _present(metrics: Mapping[str, float]) -> list[str]:
    """The metrics to print, in the order of their definitions; details are left to the record and the site."""
    return [name for name, metric in _definitions().items() if name in metrics and not metric.detail]


@cache
def _definitions() -> dict[str, Metric]:
    metrics, _ = read_metrics(PACKAGE, PACKAGE.parent)
    return {metric.id: metric for metric in metrics}


def _label(name: str) -> str:
    return _definitions()[name].heading if name in _definitions() else name


def _shown(name: str, value: float | None) -> float | None:
    """A value on the scale of tables."""
    return _definitions()[name].shown(value) if value is not None and name in _definitions() else value


def _number(value: float | None) -> str:
    """Three decimals; what would be 0.000 as a power of ten."""
    if value is None:
        return ""
    return f"{value:.0e}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


def print_audit(audit: Audit) -> None:
    """The tests with their verdicts, what was kept, and what was not tested."""
    from reference_impls.running.audit_report import interval, summary

    def short(estimate: Estimate | None) -> str:
        return "-" if estimate is None else f"{estimate.value:.3f} ({estimate.low:.2f}-{estimate.high:.2f})"

    console = Console()
    console.print(escape(summary(audit)), highlight=False)
    table = _table(f"{audit.model} against {audit.original}")
    for column in ("before", "now", *(["never seen"] if audit.control else [])):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for finding in audit.findings:
        control = [short(finding.control)] if audit.control else []
        table.add_row(finding.title, short(finding.before), short(finding.after), *control, finding.verdict)
    console.print(table)
    for change in audit.kept:
        said = f"{change.title}: {interval(change.before)} before, {interval(change.after)} now"
        console.print(escape(f"{said}, a change of {interval(change.change)}."), highlight=False)
    for test, why in audit.not_tested.items():
        console.print(escape(f"Not tested: {test}, {why}."), highlight=False)
    print_notes(audit.notes)
