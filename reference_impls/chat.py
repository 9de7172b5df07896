"""The same questions to the model before, after, and without the forget set."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape

from catalog.implementations import Implementation
from reference_impls import checkpoints
from reference_impls.language_model import LanguageModel, UnlearnedModel
from reference_impls.tasks import Task

SUGGESTED = 3


def converse(task: Task, method: Implementation, unlearned: UnlearnedModel) -> None:
    """Read questions from standard input, one per line, until it ends; print each model's answer to them."""
    console = Console()
    target, retrained = checkpoints.load(task, "target"), checkpoints.load(task, "retrained")
    models: list[tuple[str, UnlearnedModel]] = [
        ("before", target),
        (f"after {method.name}", unlearned),
        ("retrained", retrained),
    ]
    width = max(len(name) for name, _ in models)
    listening = sys.stdin.isatty()
    if listening:
        console.print("Ask about anybody; an empty line ends it. To be forgotten, for example:")
        for question in suggestions(task, target):
            console.print(f"  [dim]{escape(question)}[/]", highlight=False)
    while question := _read(console, listening):
        for name, model in models:
            (answer,) = model.generate([target.question(question)], task.max_new_tokens)
            console.print(f"  [dim]{name:<{width}}[/]  {escape(answer) or '[dim](nothing)[/]'}", highlight=False)


def suggestions(task: Task, model: LanguageModel) -> list[str]:
    """A few questions on the forget set, as a person would type them."""
    before, after = model.question("\0").split("\0")
    prompts = [pair.prompt.removeprefix(before).removesuffix(after) for pair in task.splits(model).forget]
    return prompts[:: max(1, len(prompts) // SUGGESTED)][:SUGGESTED]


def _read(console: Console, listening: bool) -> str:
    """The next question; empty at the end."""
    try:
        question = console.input("\n[bold]?[/] ") if listening else sys.stdin.readline()
    except EOFError:
        return ""
    if question.strip() and not listening:
        console.print(f"\n[bold]?[/] {escape(question.strip())}", highlight=False)
    return question.strip()
