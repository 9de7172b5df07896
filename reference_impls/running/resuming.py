"""What a run is, so that a checkpoint is not taken for that of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference_impls.running.experiment import Experiment
from reference_impls.toolkit import LanguageModel, Method, Pair, Recipe, UnlearningData
from reference_impls.toolkit.savepoints import Savepoints

if TYPE_CHECKING:
    from torch import Tensor

LOOKED_AT = 64
"""How many numbers of each weight are looked at, to know a model again."""


def savepoints(
    folder: Path, experiment: Experiment, method: Method, recipe: Recipe, model: LanguageModel, data: UnlearningData
) -> Savepoints | None:
    """Where the states of a run are kept, if they are; what is there is the run's own.

    Raises:
        UsageError: it is another run's; says in what they differ.
    """
    if experiment.scaling.checkpoint_every is None:
        return None
    identity = {
        "method": experiment.method,
        "hyper-parameters": _said(asdict(method)),
        "recipe": _said(asdict(recipe)),
        "seed": str(experiment.seed),
        "forget set": _digest(data.forget),
        "retain set": _digest(data.retain),
        "model": _digest_of_weights(model),
        "sparse autoencoders": _said(experiment.autoencoders),
        "way of loading": _said(asdict(experiment.loading)),
        "adapters": _said(asdict(experiment.scaling.lora) if experiment.scaling.lora else None),
        "number of parts": str(experiment.scaling.accumulate),
    }
    store = Savepoints(folder, experiment.scaling.checkpoint_every, identity)
    store.check()
    return store


def _said(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _digest(pairs: Sequence[Pair]) -> str:
    return hashlib.sha256(_said([asdict(pair) for pair in pairs]).encode()).hexdigest()


def _digest_of_weights(model: LanguageModel) -> str:
    """Of names, shapes and some numbers of each weight: all of a large model's would take minutes."""
    digest = hashlib.sha256()
    for name, weight in model.model.named_parameters():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(_some(weight).float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _some(weight: Tensor) -> Tensor:
    """At most so many numbers, spread over all of a weight."""
    flat = weight.detach().flatten()
    return flat[:: max(1, len(flat) // LOOKED_AT)]
