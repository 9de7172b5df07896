"""Which method runs on which architecture: every method on a small network of every family, saved and loaded again.

The networks have random weights and two blocks, so what comes out says nothing of how well a method forgets; it says
that the method finds what it acts on, and that what it leaves is what is loaded again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from catalog.base.files import write_whole
from catalog.model.architectures import Architecture, Architectures, Tried
from catalog.model.implementations import Implementation
from reference_impls.errors import UnsupportedModelError
from reference_impls.measuring.cost import one_thread, versions
from reference_impls.models.architectures import ALL, small_model
from reference_impls.progress import Progress, silence_libraries, silent
from reference_impls.running import checkpoints
from reference_impls.running.parallel import run_all
from reference_impls.running.registry import DEFAULT_TASK, PACKAGE, configure, find_method, find_task, searched_with
from reference_impls.running.saving import put_together, write_model
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearnedModel, UnlearningData, check

FILE = PACKAGE / "models" / "architectures.json"
FORGET, RETAIN = 4, 6
"""How many of the default task's pairs are taken; of those to keep half from either end, for some methods compare
subjects."""
CLOSE = 1e-4
"""How far the log-probability of a token may be from what it was before saving."""


@dataclass(frozen=True)
class Row:
    """All methods on one architecture, to be tried in any process."""

    family: str
    methods: tuple[str, ...]


def try_all(
    methods: Sequence[Implementation],
    progress: Progress = silent,
    workers: int | None = None,
    families: Sequence[str] = ALL,
) -> Architectures:
    """Try methods on architectures, and keep what came of it; what was known of others stays.

    Args:
        methods: what to try.
        progress: is told of each architecture.
        workers: how many processes; as many as cores by default.
        families: of which architectures.

    Returns:
        All that is known now.
    """
    known = Architectures.model_validate_json(FILE.read_bytes()).families if FILE.exists() else {}
    architectures = dict(known)
    tried: set[str] = set()

    def finished(row: Row, found: Architecture) -> None:
        before = known[row.family].methods if row.family in known else {}
        architectures[row.family] = replace_methods(found, {**before, **found.methods})
        tried.add(row.family)
        progress(f"{len(tried)}/{len(families)} architectures", len(tried), len(families))

    rows = [Row(family, tuple(method.id for method in methods)) for family in families]
    run_all(try_row, rows, finished, workers)
    table = Architectures(
        command="unlearn architectures",
        versions=versions(),
        families={family: architectures[family] for family in ALL if family in architectures},
    )
    write_whole(FILE, table.to_json())
    return table


def replace_methods(one: Architecture, methods: dict[str, Tried]) -> Architecture:
    """The architecture with what came of these methods, sorted."""
    return one.model_copy(update={"methods": dict(sorted(methods.items()))})


def try_row(row: Row) -> Architecture:
    """All methods of a row, each on a fresh network."""
    silence_libraries()
    one_thread()
    task = find_task(DEFAULT_TASK)
    tokenizer = checkpoints.load(task, "target").tokenizer
    tried = {}
    for name in row.methods:
        model = small_model(row.family, tokenizer)
        splits = task.splits(model)
        kept = (*splits.retain[: RETAIN // 2], *splits.retain[-RETAIN // 2 :])
        data = replace(splits.data, forget=splits.forget[:FORGET], retain=kept)
        tried[name] = try_out(find_method(name), model, data)
    return Architecture(network=type(small_model(row.family, tokenizer).model).__name__, methods=tried)


def try_out(method: Implementation, model: LanguageModel, data: UnlearningData) -> Tried:
    """One method on a network: two steps, saved, loaded as ``transformers`` loads it, and asked the same.

    Args:
        method: what to try.
        model: will be changed.
        data: a few pairs in its format.
    """
    configured = configure(method, {}, searched_with(DEFAULT_TASK, method.id))
    try:
        check(method.name, configured.parts, model.model)
    except UnsupportedModelError as error:
        return Tried(outcome="refused", said=str(error).partition(": ")[2].partition(" `unlearn list`")[0])
    # An untrained network has met nothing yet.
    run = Run(Recipe(learning_rate=1e-3, steps=2, batch_size=2), earlier=model.copy)
    try:
        unlearned: Any = configured.unlearn(model, data, run)
        apart = _reloaded_apart(unlearned, method, data)
    except Exception as error:  # whatever it is, it is what the table is to show
        return Tried(
            outcome="fails", said=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        )
    if not apart <= CLOSE:
        return Tried(outcome="fails", said=f"loaded again, a token's log-probability is off by {apart:.2g}")
    return Tried(outcome="runs", notes=tuple(run.notes))


def _reloaded_apart(unlearned: Any, method: Implementation, data: UnlearningData) -> float:
    """By how much a token's log-probability differs at most when the model is loaded again, in nats."""
    from transformers import AutoModelForCausalLM

    weights = unlearned if isinstance(unlearned, LanguageModel) else unlearned.model
    with tempfile.TemporaryDirectory() as scratch:
        write_model(Path(scratch), unlearned)
        # The tokenizer is not a family's own, and `transformers` would split texts as the family does.
        network = AutoModelForCausalLM.from_pretrained(
            scratch, dtype=torch.float32, weights_only=True, trust_remote_code=False
        )
        again = LanguageModel(network, weights.tokenizer)
        pairs = [*data.forget, *data.retain]
        values = [_asked(model, pairs) for model in (unlearned, put_together(Path(scratch), again, method))]
    return max(
        float((logprobs - reloaded_logprobs).abs().max()) for logprobs, reloaded_logprobs in zip(*values, strict=True)
    )


def _asked(model: UnlearnedModel, pairs: Sequence[Any]) -> list[torch.Tensor]:
    return model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
