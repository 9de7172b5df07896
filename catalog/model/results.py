"""A measured run: the one record that ``unlearn run`` writes, the leaderboard shows and scripts rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from catalog.base.manifest import files_below
from catalog.base.text import fit, printable, unfit
from catalog.base.utf8 import EncodingError, decode
from catalog.model.quantities import Amount, Finite, Setting, Whole
from catalog.model.questions import bare
from catalog.parsing.problems import Problem
from catalog.parsing.tree import read_bounded

T = TypeVar("T")

MAX_BYTES = 32 * 1024 * 1024
"""Of a file of JSON that a command writes."""
RESULTS = "reference_impls/results"
"""The folder of committed results."""
EMBEDDED = "tiny"
"""The name of the embedded model in records, whatever task it was made for."""
EXPERTS = "tiny-moe"
"""The name of the embedded mixture of experts, on which run the methods that are about experts."""
MADE_HERE = (EMBEDDED, EXPERTS)
"""The models that the project trains from nothing, and that ship whole; of any other, adapters ship."""
REFERENCES = ("target", "retrained")
"""Stand in the place of a method's id: the model before unlearning, and the one that never saw the forget set."""
_LATER = ("window", "notes", "recipe_source")
"""Fields that a record is written without where they say nothing."""


class Example(BaseModel):
    """One question, as answered before and after: for people to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    prompt: str
    answer: str
    generated: Annotated[str, AfterValidator(fit)]
    """What the model said, without what nobody sees: it may say anything."""

    @property
    def question(self) -> str:
        """What was asked, without the words around it."""
        return bare(self.prompt)


class Result(BaseModel):
    """One run of one method on one task with one seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    task: str
    model: str
    seed: Whole
    hyperparameters: dict[str, Setting]
    recipe: dict[str, Amount] = Field(default_factory=dict)
    """Learning rate, steps and batch size: chosen per task, not by the method."""
    recipe_source: str = ""
    """Which paper or code says so, for a model of one's own; empty for the embedded model, whose is searched for."""
    forget_share: Annotated[Finite, Field(gt=0, le=1)] = 1.0
    """How much of the task's forget set was to be forgotten; metrics are about that part."""
    requests: Annotated[Whole, Field(ge=1)] = 1
    """In how many requests, one after another, each starting from what the last one left."""
    stages: tuple[dict[str, Finite], ...] = ()
    """Metrics after each request, if there were several; those after the last are ``metrics``."""
    stopped: Whole | None = None
    """After how many steps a rule of the method's own ended the training; None if the recipe's steps did."""
    metrics: dict[str, Finite]
    attacks: dict[str, Finite] = Field(default_factory=dict)
    seconds: Annotated[Finite, Field(ge=0)]
    """Wall-clock time of unlearning alone, without loading and evaluation."""
    peak_memory_bytes: Whole
    forward_passes: Whole = 0
    """Sequences that went through the model, or a copy of it, while it unlearned."""
    backward_passes: Whole = 0
    versions: dict[str, str]
    command: str
    examples: tuple[Example, ...] = ()
    window: Whole | None = None
    """How many tokens were read at a time; None for the embedded model."""
    notes: tuple[str, ...] = ()
    """What one has to know of the run besides its numbers, such as what of the data was cut."""

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later and says nothing of this run, so that records stay as they are."""
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key not in _LATER or value}

    @property
    def file(self) -> str:
        """Where the record belongs, below the folder of results."""
        return record_file(self.task, self.model, self.method, self.seed, self.forget_share, self.requests)

    @property
    def plain(self) -> bool:
        """See :func:`is_plain`."""
        return is_plain(self.forget_share, self.requests)

    @property
    def measurements(self) -> Iterator[tuple[str, float]]:
        """Every number that a metric or an attack gave, after the last request and before, with its path."""
        yield from ((f"metrics.{name}", value) for name, value in self.metrics.items())
        yield from ((f"attacks.{name}", value) for name, value in self.attacks.items())
        for index, stage in enumerate(self.stages):
            yield from ((f"stages.{index}.{name}", value) for name, value in stage.items())

    def to_json(self) -> str:
        """Canonical JSON: fixed key order, two spaces, a final newline."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False) + "\n"


_RESULT = TypeAdapter(Result)


def is_plain(forget_share: float, requests: int) -> bool:
    """Whether a run forgets the whole forget set at once: what a leaderboard compares and what is attacked."""
    return forget_share == 1 and requests == 1


def record_file(task: str, model: str, method: str, seed: int, forget_share: float = 1.0, requests: int = 1) -> str:
    """Where the record of such a run belongs, below the folder of results: ``authors/tiny/npo-0.json``."""
    share = f"-share-{forget_share:g}" if forget_share != 1 else ""
    several = f"-requests-{requests}" if requests != 1 else ""
    return f"{task}/{model}/{method}-{seed}{share}{several}.json"


def read_results(folder: Path, root: Path) -> tuple[list[Result], list[Problem]]:
    """Every committed result under ``folder``, sorted by task, model, method and seed, with problems.

    Of a task's models the embedded one comes first, for it is the one that all methods are measured on.
    """
    by_file, problems = read_result_files(folder, root)
    return sorted(by_file.values(), key=reading_order), problems


def reading_order(result: Result) -> tuple[str, bool, str, str, float, int, int]:
    """By task, model (the embedded one first), method and seed."""
    embedded = result.model == EMBEDDED
    return result.task, not embedded, result.model, result.method, -result.forget_share, result.requests, result.seed


def read_result_files(folder: Path, root: Path) -> tuple[dict[str, Result], list[Problem]]:
    """Every committed result under ``folder`` by its path relative to ``root``, with problems."""
    results: dict[str, Result] = {}
    problems: list[Problem] = []
    for name, _ in files_below(str(folder), ".json", links=True):
        path = Path(name)
        file = printable(path.relative_to(root).as_posix())
        contents, wrong = read_json(path, file, _RESULT, "bad-result", "`unlearn run --record`")
        problems += wrong
        results.update((file, result) for result in contents)
    return results, problems


def first_error(error: ValidationError, whole: str) -> str:
    """The first thing that is wrong with JSON, by the path to it; ``whole`` where it cannot be parsed."""
    first = error.errors(include_url=False)[0]
    # What our own types say begins with a code, for files with places of their own.
    said = re.sub("^Value error, (?:[a-z-]+: )?", "", first["msg"])
    return f"{'.'.join(str(part) for part in first['loc']) or whole}: {said}"


def unseen_in(text: str) -> str:
    """What of JSON no text may hold, by the path to it (``command: holds the control character U+001B``), or ``""``."""
    # Most files are plain ASCII without such escapes, and are not gone through.
    if not _MAY_HIDE.search(text) and not unfit(text.replace("\n", "")):
        return ""
    return next(_unseen("", json.loads(text)), "")


_MAY_HIDE = re.compile(r"\\[bfru]")


def _unseen(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and (sign := unfit(value)):
        yield f"{path or 'the file'}: holds {sign}"
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        here = f"{path}.{printable(str(key))}".removeprefix(".")
        if isinstance(key, str) and (sign := unfit(key)):
            yield f"{here}: holds {sign}"
        yield from _unseen(here, part)


def read_json(path: Path, file: str, form: TypeAdapter[T], code: str, writer: str) -> tuple[list[T], list[Problem]]:
    """What a committed file holds that a command writes, or what is wrong with it, at its line where JSON is broken.

    Args:
        path: the file.
        file: how problems name it.
        form: what it should hold.
        code: of its problems.
        writer: the command that writes it.
    """
    data, problems = read_bounded(path, file, MAX_BYTES)
    if data is None:
        return [], problems
    try:
        text = decode(data)
        contents = form.validate_json(text)
        message = unseen_in(text)
        if not message:
            return [contents], []
    except ValidationError as error:
        message = first_error(error, "the file")
    except EncodingError as error:
        message = error.problem
    place = re.search(r"line (\d+) column (\d+)", message)
    line, column = (int(place[1]), max(1, int(place[2]))) if place else (1, 1)
    return [], [Problem(file, line, column, code, "error", message, f"It is written by {writer}; run that again.")]
