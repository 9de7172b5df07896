"""A run's outcome as a folder: a model that ``transformers`` loads, a model card, and the record."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from catalog.model.implementations import Implementation
from catalog.model.results import Result
from reference_impls.errors import UsageError
from reference_impls.running.registry import find_method, method_class
from reference_impls.toolkit import LanguageModel, UnlearnedModel, Wrapper


def prepare_folder(folder: Path) -> None:
    """Check, before anything is computed, that a run can be saved there.

    Raises:
        UsageError: it cannot, or something is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty. Nothing is overwritten; name another folder.")
    # Only looked at: a run that fails leaves nothing behind.
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UsageError(f"{folder} cannot be made: {nearest} is not a folder that can be written to.")


def save(folder: Path, model: LanguageModel | Wrapper, method: Implementation, result: Result) -> None:
    """Write model, card and record; all or nothing, by renaming a finished temporary folder."""
    weights = model if isinstance(model, LanguageModel) else model.model
    folder = folder.absolute()  # "." has no name of its own
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        made = Path(scratch) / "model"
        weights.model.save_pretrained(made)
        weights.tokenizer.save_pretrained(made)
        if not isinstance(model, LanguageModel):
            kept = json.dumps(model.to_json(), indent=2, ensure_ascii=False)
            (made / "wrapper.json").write_text(kept + "\n", "utf-8")
        (made / "result.json").write_text(result.to_json(), "utf-8")
        (made / "README.md").write_text(card(method, result, isinstance(model, LanguageModel)), "utf-8")
        if folder.is_dir():
            folder.rmdir()
        shutil.move(os.fspath(made), folder)


def load(source: str) -> UnlearnedModel:
    """Load what :func:`save` wrote, or any other causal language model.

    Raises:
        UsageError: it cannot be loaded.
    """
    from reference_impls.models.pretrained import load_pretrained

    model = load_pretrained(source)
    kept, record = Path(source) / "wrapper.json", Path(source) / "result.json"
    if not kept.is_file():
        return model
    try:
        method = find_method(Result.model_validate_json(record.read_bytes()).method)
        restored: UnlearnedModel = method_class(method).restore(model, json.loads(kept.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{kept} cannot be read together with {record.name}: {error}") from None
    return restored


def card(method: Implementation, result: Result, weights_changed: bool) -> str:
    """The model card: what was done to this model, how, and what it measured."""
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in result.metrics.items())
    settings = "\n".join(
        f"| {name} | {value} |"
        for name, value in {**result.hyperparameters, **result.recipe, "seed": result.seed}.items()
    )
    kept = "**The weights are those of the original model.** What was unlearned is around them, in"
    if method.acts_on == "data":  # trained, and asked in its own way
        kept = "**The weights alone are not the unlearned model.** What belongs to it besides is in"
    note = "" if weights_changed else f"\n{kept}\n`wrapper.json`, and must be applied at every query.\n"
    return f"""---
library_name: transformers
tags: [machine-unlearning]
---

# {result.model}, unlearned with {method.name}

{method.summary}
{note}
| setting | value |
|---|---|
{settings}

| metric | value |
|---|---|
{rows}

Made by `{result.command}` in {result.seconds:g} s. The full record is in `result.json`; the method is
`{method.file}` of LLM-Unlearning, which follows the paper with the record `{method.paper}`.
"""
