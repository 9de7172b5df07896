"""What has to be said of a run besides its numbers: what of the data a model does not see."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impls.toolkit import LanguageModel, Pair, Splits


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
