"""What a run is: one value that names it, says what reproduces it and where its record belongs, and goes anywhere."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.model.implementations import Implementation
from catalog.model.results import EMBEDDED, is_plain, record_file
from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading
from reference_impls.running.registry import DEFAULT_TASK, find_task, model_for, ships
from reference_impls.scaling import Scaling

if TYPE_CHECKING:
    from reference_impls.tasks.tables import Data
    from reference_impls.toolkit import Task

Given = Mapping[str, float | int | None]


@dataclass(frozen=True)
class OwnData:
    """Data of one's own, instead of a task."""

    forget: Data
    retain: Data | None = None
    """None for methods that need no examples of what must stay."""
    holdout: Data | None = None

    @property
    def named(self) -> dict[str, str | None]:
        """By option, the file; of rows that are in none, a word in its place."""
        return {
            name: f"{name.upper()}-ROWS" if isinstance(data, Sequence) else None if data is None else str(data)
            for name, data in vars(self).items()
        }


@dataclass(frozen=True)
class Experiment:
    """One run of one method: all that decides what comes of it, by name, so that another process can take it."""

    method: str
    """A method's id."""
    task: str = DEFAULT_TASK
    seed: int = 0
    """Decides the order of batches and everything else that is drawn."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Hyper-parameters as typed by a person, over those of the task's recipe."""
    recipe: Given = field(default_factory=dict)
    """Learning rate, steps and so on, over those of the task's recipe; None where nothing was chosen."""
    forget_share: float = 1.0
    """How much of the forget set is to be forgotten (MUSE's scalability)."""
    requests: int = 1
    """In how many requests, one after another (MUSE's sustainability); each is a run of its own."""
    model: str | None = None
    """A folder or hub name of a causal language model, or one that the task ships; the embedded one by
    default that the method runs on."""
    data: OwnData | None = None
    folder: Path | None = None
    """Where the files of a published benchmark are looked for first."""
    reference: str | None = None
    """A model that was trained without the forget set, to compare with; a task's own retrained model by default."""
    earlier: str | None = None
    """A checkpoint of that model from before it met what is to be forgotten; a task's own base model by default."""
    autoencoders: tuple[str, ...] = ()
    """Published sparse autoencoders of that model, for methods that work on features: files or folders, each with its
    block (``12=path``) where nothing else says that."""
    loading: Loading = field(default_factory=Loading)
    """How that model is loaded."""
    scaling: Scaling = field(default_factory=Scaling)
    """How a model is trained that is large for its machine."""

    def __post_init__(self) -> None:
        if self.model is None and self.data is None:
            object.__setattr__(self, "model", model_for(self.method, self.task))

    @property
    def own_model(self) -> bool:
        """Whether it starts from somebody's model, and not from a target that ships with the task."""
        return self.model is not None and (self.data is not None or not ships(self.task, self.model))

    @property
    def plain(self) -> bool:
        """See :func:`catalog.model.results.is_plain`."""
        return is_plain(self.forget_share, self.requests)

    @property
    def file(self) -> str:
        """Where its record belongs, below the folder of results."""
        model = self.model or EMBEDDED
        return record_file(self.task, model, self.method, self.seed, self.forget_share, self.requests)

    @property
    def title(self) -> str:
        """The run as people are told of it."""
        return f"{self.method} on {self.task}, seed {self.seed}"

    @property
    def command(self) -> str:
        """What reproduces it: the shortest command that says all that was chosen."""
        own = {} if self.data is None else self.data.named
        options: dict[str, object] = {
            "task": None if self.data else self.task,
            "data": self.folder,
            "model": self.model,
            "reference": self.reference,
            "earlier": self.earlier,
            **own,
            **self.recipe,
            "seed": self.seed,
            "forget_share": None if self.forget_share == 1 else f"{self.forget_share:g}",
            "requests": None if self.requests == 1 else self.requests,
        }
        words = ["unlearn", "run", self.method]
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
        words += [word for named in self.autoencoders for word in ("--autoencoder", named)]
        words += [*self.loading.words, *self.scaling.words]
        for name, text in self.settings.items():
            words += ["--set", f"{name}={text}"]
        return shlex.join(words)

    def by(self, method: Implementation, seed: int, **changed: Any) -> Experiment:
        """Another method's run on the same model and data; what it has no use for is not handed to it."""
        needs = method.needs
        return replace(
            self,
            method=method.id,
            seed=seed,
            earlier=None if needs.earlier == "unused" else self.earlier,
            autoencoders=self.autoencoders if needs.features else (),
            **changed,
        )

    def load_task(self) -> Task:
        """The task, or the one that files of one's own make.

        Raises:
            UnknownNameError: there is no such task.
            UsageError: files are missing or cannot be read.
        """
        return load_task(self.task, self.data, self.folder, self.model)


def check_use(like: Experiment, methods: Sequence[Implementation]) -> None:
    """Check that what was named for several methods is of use to one of them.

    Raises:
        UsageError: it is not.
    """
    if like.earlier is not None and all(method.needs.earlier == "unused" for method in methods):
        raise UsageError("None of the methods has a use for an earlier checkpoint; leave --earlier out.")
    if like.autoencoders and not any(method.needs.features for method in methods):
        raise UsageError("None of the methods reads features; leave --autoencoder out.")


def load_task(name: str, data: OwnData | None = None, folder: Path | None = None, model: str | None = None) -> Task:
    """The task of that name, or the one that files of one's own make, if there are any.

    Args:
        name: of a task that ships models, or of a published benchmark's.
        data: the files of one's own.
        folder: where a benchmark's files are looked for first.
        model: see :func:`~reference_impls.running.registry.find_task`.

    Raises:
        UnknownNameError: there is no such task.
        UsageError: files are missing or cannot be read.
    """
    if data is None:
        return find_task(name, folder, model)
    if folder is not None:
        raise UsageError("--data names the folder of a published benchmark; --forget and --retain name your own files.")
    from reference_impls.tasks.files import FilesTask

    return FilesTask(data.forget, data.retain, data.holdout)
