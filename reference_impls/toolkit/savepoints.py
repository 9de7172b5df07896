"""The state of training on a disk, so that a run that was killed goes on as if it had not been.

A savepoint is a folder that is there as a whole or not at all: it is written under another name and then renamed. It
holds what moves while the loop runs: the weights that train, the optimizer's tensors, the generators' states, and where
in the data the batches are. What was done before the first step is done again instead, from the model before.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from reference_impls.errors import UsageError
from reference_impls.toolkit import processes

UNFINISHED = ".unfinished-"
"""How folders begin in which something is being written."""
NAME = "checkpoint-"
"""How the folders are called, before the numbers of the stage and of its steps that were taken."""
FORM = 1
"""Of what is in them; another one is not read."""
_CPU, _CUDA = "generator.cpu", "generator.cuda"


@dataclass
class State:
    """What moves while the loop runs; restored in place."""

    weights: Mapping[str, Tensor]
    """Those that the optimizer moves, by name."""
    optimizer: torch.optim.Optimizer
    queues: Mapping[str, list[int]]
    """Rows that are still to be drawn, by what they are of."""
    rng: random.Random


class Meter(Protocol):
    """What a run has cost so far, by names."""

    def spent(self) -> dict[str, float]:
        """As of now."""

    def go_on(self, spent: Mapping[str, float]) -> None:
        """Count on from what it was at a savepoint: what was done again to get there is not counted twice."""


@dataclass(frozen=True)
class Savepoints:
    """Where the states of one run are kept, and how often."""

    folder: Path
    every: int
    """After how many steps."""
    identity: Mapping[str, str]
    """What the run is, by aspects; that of another one is not gone on with."""
    meter: Meter | None = None
    """What the run costs is kept along, so that it is told of the whole."""

    @property
    def latest(self) -> Path | None:
        """The last one that was written, if any."""
        savepoints = savepoints_in(self.folder)
        return savepoints[-1] if savepoints else None

    def due(self, step: int) -> bool:
        """Whether one is to be written after so many steps."""
        return step % self.every == 0

    def check(self) -> None:
        """Look whether the run may go on from what is there.

        Raises:
            UsageError: it belongs to another run; says in what that differs.
        """
        if self.latest is None:
            return
        told = _facts(self.latest)
        theirs = told.get("identity", {})
        other = [aspect for aspect, value in self.identity.items() if theirs.get(aspect) != value]
        if other:
            raise UsageError(
                f"{self.latest} belongs to another run: its {' and its '.join(other)} differ{'s' * (len(other) == 1)}. "
                "Run what it belongs to, name another folder with --out, or remove it to begin anew."
            )

    def write(self, stage: int, step: int, state: State) -> None:
        """Keep the state after so many steps of a stage, and then remove those before; the first process does it.

        Raises:
            UsageError: it cannot be written.
        """
        if processes.rank():
            return
        from safetensors import SafetensorError

        before = savepoints_in(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=UNFINISHED, ignore_cleanup_errors=True) as scratch:
                whole = Path(scratch) / "state"
                whole.mkdir()
                self._write(whole, stage, step, state)
                os.replace(whole, self.folder / f"{NAME}{stage:02}-{step:08}")
        except (OSError, SafetensorError) as error:
            said = getattr(error, "strerror", None) or error
            raise UsageError(f"The checkpoint at step {step} could not be written: {said}.") from None
        for folder in before:
            shutil.rmtree(folder, ignore_errors=True)

    def _write(self, folder: Path, stage: int, step: int, state: State) -> None:
        from safetensors.torch import save_file

        tensors, numbers = _taken_apart(state.optimizer)
        tensors[_CPU] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            tensors[_CUDA] = torch.cuda.get_rng_state()
        version, internal, gauss = state.rng.getstate()
        facts = {
            "form": FORM,
            "identity": dict(self.identity),
            "stage": stage,
            "step": step,
            "optimizer": numbers,
            "queues": dict(state.queues),
            "rng": [version, list(internal), gauss],
            "spent": self.meter.spent() if self.meter else {},
        }
        save_file(
            {name: weight.detach().cpu().contiguous() for name, weight in state.weights.items()},
            folder / "weights.safetensors",
        )
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            folder / "optimizer.safetensors",
        )
        (folder / "state.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        for file in folder.iterdir():
            with open(file, "rb") as written:
                os.fsync(written.fileno())

    def restore(self, stage: int, state: State) -> int:
        """Put the last state of a stage back; returns after how many of its steps it was, 0 if there is none.

        Raises:
            UsageError: it cannot be read, or not all processes see it.
        """
        savepoint = self.latest
        facts = _facts(savepoint) if savepoint else {}
        step = int(facts["step"]) if facts.get("stage") == stage else 0
        device = next(iter(state.weights.values())).device
        if not processes.agree(step, device):
            raise UsageError(f"Not all processes see the same checkpoints in {self.folder}: they need one file system.")
        if savepoint and step:
            from safetensors import SafetensorError

            try:
                _restore(savepoint, facts, state, device)
            except (OSError, KeyError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
                raise _unreadable(savepoint, error) from None
            if self.meter and (spent := facts.get("spent")):
                self.meter.go_on(spent)
        return step

    def remove(self) -> None:
        """Take them away, when nothing needs them any more."""
        for folder in savepoints_in(self.folder):
            shutil.rmtree(folder, ignore_errors=True)


def savepoints_in(folder: Path) -> list[Path]:
    """The savepoints in a folder, earliest first."""
    return sorted(folder.glob(f"{NAME}*")) if folder.is_dir() else []


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from None
    if not isinstance(facts, dict) or facts.get("form") != FORM:
        raise _unreadable(folder, ValueError("another version wrote it"))
    return facts


def _unreadable(folder: Path, error: Exception) -> UsageError:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return UsageError(f"The checkpoint {folder} cannot be read: {said[0]}. Remove it to begin anew.")


@torch.no_grad()
def _restore(folder: Path, facts: Mapping[str, Any], state: State, device: torch.device) -> None:
    from safetensors.torch import load_file

    weights = load_file(folder / "weights.safetensors")
    for name, weight in state.weights.items():
        if weight.shape != weights[name].shape:
            raise ValueError(f"{name} has another shape")
        weight.copy_(weights[name])
    tensors = load_file(folder / "optimizer.safetensors")
    _put_together(state.optimizer, tensors, facts["optimizer"])
    for name, queue in state.queues.items():
        queue[:] = facts["queues"][name]
    version, internal, gauss = facts["rng"]
    state.rng.setstate((version, tuple(internal), gauss))
    torch.set_rng_state(tensors[_CPU])
    if _CUDA in tensors and device.type == "cuda":
        torch.cuda.set_rng_state(tensors[_CUDA])


def _taken_apart(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The optimizer's state of each weight as tensors, and what else there is of it as numbers."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, float] = {}
    for place, kept in optimizer.state_dict()["state"].items():
        for name, value in kept.items():
            if isinstance(value, Tensor):
                tensors[f"{place}.{name}"] = value
            elif value is not None:
                numbers[f"{place}.{name}"] = value
    return tensors, numbers


def _put_together(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, float]
) -> None:
    """The other way: what was taken apart, in an optimizer of the same weights."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *numbers.items()]:
        place, _, name = key.partition(".")
        if place.isdigit():
            state.setdefault(int(place), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def names_of(weights: Sequence[Tensor], network: torch.nn.Module) -> list[str]:
    """A name for each weight: its own in the network, or else its number."""
    named = {id(parameter): name for name, parameter in network.named_parameters()}
    return [named.get(id(weight), f"weight{place}") for place, weight in enumerate(weights)]
