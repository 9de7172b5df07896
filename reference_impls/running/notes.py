"""What has to be said of a run besides its numbers: what of the data a model does not see."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impls.errors import UsageError
from reference_impls.toolkit import LanguageModel, Pair, Splits, Task


def check_whole(task: Task, splits: Splits, method: str | None = None) -> None:
    """Look whether there is what a run needs.

    Args:
        task: whose data they are.
        splits: the data.
        method: the name of a method that needs examples of what must stay; None for what needs none.

    Raises:
        UsageError: there is nothing to forget, or nothing of what the method needs.
    """
    if not splits.forget:
        raise UsageError(f"{task.name} has nothing to forget. {task.lacking}".strip())
    if method and not splits.retain:
        raise UsageError(
            f"{method} needs examples of what must stay, and {task.name} has none. {task.lacking} "
            "`unlearn plan --retain no` lists the methods that do without."
        )


def cut(model: LanguageModel, splits: Splits) -> list[str]:
    """For each part of the data that holds rows longer than the model's window, how much of them is cut."""
    parts = (("to forget", splits.forget), ("to keep", splits.retain), ("held out", splits.holdout))
    return [note for name, pairs in parts if (note := _cut(model, name, pairs))]


def _cut(model: LanguageModel, name: str, pairs: Sequence[Pair]) -> str:
    sizes = model.sizes(pairs)
    over = [size - model.max_length for size in sizes if size > model.max_length]
    if not over:
        return ""
    more = (
        f"--window {max(sizes)} reads all of it."
        if model.context is None or max(sizes) <= model.context
        else f"The model itself reads {model.context} tokens at a time."
    )
    return (
        f"{len(over)} of {len(pairs)} rows {name} are longer than the window of {model.max_length} tokens: "
        f"{sum(over)} of {sum(sizes)} tokens are cut, at the start of prompts and the end of answers. {more}"
    )
