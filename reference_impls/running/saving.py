"""A run's outcome as a folder: a model that ``transformers`` loads, a model card, and the record."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.base.files import write_whole
from catalog.base.terminal import say
from catalog.model.implementations import Implementation
from catalog.model.results import Result
from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading
from reference_impls.running.registry import find_method, method_class
from reference_impls.toolkit import Kept, LanguageModel, UnlearnedModel, Wrapper
from reference_impls.toolkit.savepoints import UNFINISHED, savepoints_in

if TYPE_CHECKING:
    from reference_impls.running.runner import Outcome
    from reference_impls.toolkit.adapters import Adapter


@dataclass
class Keeper:
    """Where a run is kept: proved writable first, and somewhere else where writing fails all the same."""

    folder: Path
    """Where it is meant to be."""
    method: Implementation
    goes_on: bool = False
    """Whether a run of the same command may have left checkpoints there, from which this one goes on."""
    place: Path | None = field(init=False, default=None)
    """Where it is; None as long as it is nowhere."""
    problem: str = field(init=False, default="")
    """Why it is not where it is meant to be; empty if it is."""

    def __post_init__(self) -> None:
        prepare_folder(self.folder, self.goes_on)

    def keep(self, outcome: Outcome) -> None:
        """Write the model, its card and its record: where they are meant to be, or where there is room."""
        for parent in (None, *_elsewhere(self.folder)):
            try:
                place = self.folder if parent is None else Path(tempfile.mkdtemp(dir=parent, prefix="unlearned-"))
                save(place, outcome.model, self.method, outcome.result, outcome.adapter)
            except _unwritable() as error:
                self.problem = self.problem or _reason(error)
            else:
                self.place = place
                for left in savepoints_in(self.folder):
                    shutil.rmtree(left, ignore_errors=True)
                return

    def update(self, outcome: Outcome) -> None:
        """Write card and record again, when more has been measured."""
        if self.place is None:
            return
        try:
            _describe(self.place, self.method, outcome.result, isinstance(outcome.model, LanguageModel))
        except OSError as error:
            self.problem = self.problem or _reason(error)

    def describe(self, outcome: Outcome) -> str:
        """What is there now, for people."""
        if isinstance(outcome.model, LanguageModel) and outcome.adapter is not None:
            return (
                "a model that transformers loads, the adapter that was trained and is merged into it (adapter), its "
                "card (README.md) and the record (result.json)."
            )
        if isinstance(outcome.model, LanguageModel):
            return "a model that transformers loads, its card (README.md) and the record (result.json)."
        return (
            "the weights, which alone are not the unlearned model, what is around them (wrapper.json), the card "
            f"(README.md) and the record (result.json). `unlearn eval {self.folder}` puts them together."
        )

    def check(self) -> None:
        """Look whether all is where it is meant to be.

        Raises:
            UsageError: it is not; says why, and where it is.
        """
        if not self.problem:
            return
        where = f"It is in {self.place} instead; move it." if self.place else "It is nowhere else either: run it again."
        raise UsageError(f"The model could not be saved to {self.folder}: {self.problem}. {where}")


def prepare_folder(folder: Path, goes_on: bool = False) -> None:
    """Prove, before anything is computed, that a run can be saved there: by writing, and taking it away again.

    Args:
        folder: the place.
        goes_on: whether checkpoints may be there.

    Raises:
        UsageError: it cannot, or something is there already.
    """
    try:
        _take_back(folder)
        left = savepoints_in(folder)
        if left and not goes_on:
            raise UsageError(
                f"{folder} holds {left[-1].name} of a run that did not end. Give --checkpoint-every as well "
                "to go on; or name another folder, or remove it."
            )
        if folder.exists() and (not folder.is_dir() or any(entry not in left for entry in _finished(folder))):
            raise UsageError(f"{folder} exists and is not empty. Nothing is overwritten; name another folder.")
        for rest in _left_over(folder):
            say(f"{rest} was left by a run that was killed while it saved; nothing needs it any more.")
        with _made(folder), _unfinished(folder) as scratch:
            (scratch / "proof").write_bytes(b"proof")
            (scratch / "proof").replace(folder / "proof")
            (folder / "proof").unlink()
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {_reason(error)}. Name another folder.") from None


def save(
    folder: Path,
    model: LanguageModel | Wrapper,
    method: Implementation,
    result: Result,
    adapter: Adapter | None = None,
) -> None:
    """Write model, card and record; all or nothing, by moving finished files to their place.

    An adapter that was merged into the model is also written by itself, as ``peft`` reads it.

    Raises:
        OSError, SafetensorError: it cannot be written; nothing is left of it then.
    """
    with _made(folder, keep=True), _unfinished(folder) as scratch:
        write_model(scratch, model)
        if adapter is not None:
            adapter.save(scratch / ADAPTER, result.model)
        _describe(scratch, method, result, isinstance(model, LanguageModel))
        files = sorted(scratch.iterdir())
        write_whole(scratch / MOVING, json.dumps([file.name for file in files]))
        _move(files, folder)


def write_model(folder: Path, model: LanguageModel | Wrapper) -> None:
    """Write the weights, and what a method put around them, into a folder.

    Raises:
        OSError, SafetensorError: it cannot be written.
    """
    from safetensors.torch import save_file

    weights = model if isinstance(model, LanguageModel) else model.model
    weights.save(folder)
    if isinstance(model, LanguageModel):
        return
    kept = json.dumps(model.to_json(), indent=2, ensure_ascii=False)
    (folder / AROUND_FACTS).write_text(kept + "\n", "utf-8")
    if tensors := model.tensors():
        save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, folder / AROUND)


def put_together(folder: Path, model: LanguageModel, method: Implementation) -> UnlearnedModel:
    """The weights of a folder with what :func:`write_model` kept of what was around them; themselves if nothing was.

    Raises:
        OSError, ValueError, KeyError, TypeError, SafetensorError: what was kept cannot be read.
    """
    from safetensors.torch import load_file

    kept, tensors = folder / AROUND_FACTS, folder / AROUND
    if not kept.is_file():
        return model
    facts = json.loads(kept.read_text("utf-8"))
    around = load_file(tensors, device=str(model.device)) if tensors.is_file() else {}
    restored: UnlearnedModel = method_class(method).restore(model, Kept(facts, around))
    return restored


AROUND_FACTS = "wrapper.json"
"""What has to be known of what is around the weights of a model."""
ADAPTER = "adapter"
"""The folder of what was merged into the weights; below the model's, where ``transformers`` does not look for one."""
AROUND = "wrapper.safetensors"
"""The weights that are around those of a model; not named as a checkpoint is, which ``transformers`` would read."""


MOVING = "moving.json"
"""In an unfinished folder: the names of what is whole there, and is being moved to its place."""


def _move(files: Sequence[Path], folder: Path) -> None:
    """Move files into a folder: all, or none."""
    try:
        for file in files:
            file.replace(folder / file.name)
    except BaseException:
        for file in files:
            moved = folder / file.name
            shutil.rmtree(moved) if moved.is_dir() else moved.unlink(missing_ok=True)
        raise


def _take_back(folder: Path) -> None:
    """Clear up after a run that was killed while it moved its files there: a part of a model is none.

    Where all had arrived, the model is whole, and stays.
    """
    for scratch in _left_over(folder):
        try:
            names = [Path(name).name for name in json.loads((scratch / MOVING).read_text("utf-8"))]
        except (OSError, ValueError, TypeError):
            continue  # it had not begun to move any
        if any((scratch / name).exists() for name in names):
            for moved in (folder / name for name in names if not (scratch / name).exists()):
                shutil.rmtree(moved) if moved.is_dir() else moved.unlink(missing_ok=True)
        shutil.rmtree(scratch)


def _describe(folder: Path, method: Implementation, result: Result, weights_changed: bool) -> None:
    """Write the record and the card."""
    write_whole(folder / "result.json", result.to_json())
    write_whole(folder / "README.md", card(method, result, weights_changed))


@contextmanager
def _made(folder: Path, keep: bool = False) -> Iterator[None]:
    """The folder, made with those above it; where the work in it fails, or is not to be kept, what was made is gone."""
    made = [place for place in (folder.absolute(), *folder.absolute().parents) if not place.exists()]
    done = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
        done = True
    finally:
        if not (keep and done):
            if folder.absolute() in made:
                shutil.rmtree(folder, ignore_errors=True)
            for place in made[1:]:
                with suppress(OSError):  # somebody may have put something there
                    place.rmdir()


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder inside, for what is being written; gone afterwards, with what is left in it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


def _finished(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith(UNFINISHED))


def _left_over(folder: Path) -> list[Path]:
    """What runs left that were killed while they wrote there."""
    return sorted(folder.glob(f"{UNFINISHED}*")) if folder.is_dir() else []


def _elsewhere(folder: Path) -> list[Path]:
    """Where to write what cannot be written to a folder."""
    return [folder.absolute().parent, Path.cwd(), Path(tempfile.gettempdir())]


def _unwritable() -> tuple[type[Exception], ...]:
    """How it shows that a file cannot be written."""
    from safetensors import SafetensorError

    return OSError, SafetensorError


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(said).splitlines()[0].rstrip(".")


def load(source: str, loading: Loading | None = None) -> UnlearnedModel:
    """Load what :func:`save` wrote, or any other causal language model.

    Raises:
        UsageError: it cannot be loaded.
    """
    from safetensors import SafetensorError

    from reference_impls.models.pretrained import load_pretrained

    model = load_pretrained(source, loading)
    kept, record = Path(source) / AROUND_FACTS, Path(source) / "result.json"
    if not kept.is_file():
        return model
    try:
        method = find_method(Result.model_validate_json(record.read_bytes()).method)
        return put_together(Path(source), model, method)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise UsageError(f"{kept} cannot be read together with {record.name}: {said}") from None


def card(method: Implementation, result: Result, weights_changed: bool) -> str:
    """The model card: what was done to this model, how, and what it measured."""
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in result.metrics.items())
    settings = "\n".join(
        f"| {name} | {value} |"
        for name, value in {**result.hyperparameters, **result.recipe, "seed": result.seed}.items()
    )
    trained = f"\nThe recipe is from: {result.recipe_source}.\n" if result.recipe_source else ""
    kept = "**The weights are those of the original model.** What was unlearned is around them, in"
    if method.acts_on == "data":  # trained, and asked in its own way
        kept = "**The weights alone are not the unlearned model.** What belongs to it besides is in"
    note = "" if weights_changed else f"\n{kept}\n`wrapper.json`, and must be applied at every query.\n"
    where = f"the package {method.outside.package}" if method.outside else "LLM-Unlearning"
    file = method.module if method.outside else method.file
    note += "".join(f"\n> {remark}\n" for remark in result.notes)
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
{trained}
| metric | value |
|---|---|
{rows}

Made by `{result.command}` in {result.seconds:g} s. The full record is in `result.json`; the method is
`{file}` of {where}, which follows the paper with the record `{method.paper}`.
"""
