"""The same questions to the model before, after, and without the forget set."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape

from reference_impls.running import checkpoints
from reference_impls.toolkit import LanguageModel, Task, UnlearnedModel, weights_of

SUGGESTED = 3


def converse(task: Task, name: str, unlearned: UnlearnedModel) -> None:
    """Read questions from standard input, one per line, until it ends; print each model's answer to them.

    Args:
        task: whose models are asked as well.
        name: what to call the unlearned model.
        unlearned: each model is asked in its own format.
    """
    console = Console()
    target, retrained = checkpoints.load(task, "target"), checkpoints.load(task, "retrained")
    models: list[tuple[str, UnlearnedModel]] = [
        ("before", target),
        (name, unlearned),
        ("retrained", retrained),
    ]
    width = max(len(label) for label, _ in models)
    listening = sys.stdin.isatty()
    if listening:
        console.print("Ask about anybody; an empty line ends it. To be forgotten, for example:")
        for question in suggestions(task, target):
            console.print(f"  [dim]{escape(question)}[/]", highlight=False)
    while question := _read(console, listening):
        for label, model in models:
            asked = (weights_of(model) or target).question(question)
            (answer,) = model.generate([asked], task.max_new_tokens)
            console.print(f"  [dim]{label:<{width}}[/]  {escape(answer) or '[dim](nothing)[/]'}", highlight=False)


def suggestions(task: Task, model: LanguageModel) -> list[str]:
    """A few questions on the forget set, as a person would type them."""
    questions = [model.typed(pair.prompt) for pair in task.splits(model).forget]
    return questions[:: max(1, len(questions) // SUGGESTED)][:SUGGESTED]


def _read(console: Console, listening: bool) -> str:
    """The next question; empty at the end."""
    try:
        question = console.input("\n[bold]?[/] ") if listening else sys.stdin.readline()
    except EOFError:
        return ""
    if question.strip() and not listening:
        console.print(f"\n[bold]?[/] {escape(question.strip())}", highlight=False)
    return question.strip()
