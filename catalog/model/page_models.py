"""Models that a page asks in the browser: ``unlearn page-models`` makes them, the build of the site takes them over."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER = "page-models"
"""Below ``build/``."""
INDEX = "index.json"
TOKENIZER = "tokenizer.json"
BEFORE, RETRAINED = "target", "retrained"
"""The two that every answer is held against."""


class PageModelsError(Exception):
    """What is in the folder cannot be used; the message says what to do."""


class PageModel(BaseModel):
    """One model, as a file of 8-bit weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    forget_probability: float
    """Of this file's weights, on the task's forget set."""


class PageModels(BaseModel):
    """What a page needs to ask the models, and why some methods have none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    before_question: str
    """What stands before a question, and after it, where the models were taught to answer."""
    after_question: str
    stops: tuple[int, ...]
    """The tokens that end an answer."""
    longest: int
    """How many tokens an answer may have."""
    window: int
    """How many tokens the models read."""
    suggestions: dict[str, tuple[str, ...]]
    """Questions to begin with, by split."""
    models: dict[str, PageModel]
    """By method, with both references."""
    left_out: dict[str, str]
    """Methods without a file, and why."""

    def to_json(self) -> str:
        """Canonical JSON."""
        return self.model_dump_json(indent=1) + "\n"

    def files(self) -> list[str]:
        """The names of all files beside the index."""
        return [TOKENIZER, *(file_of(name) for name in sorted(self.models))]


def file_of(name: str) -> str:
    """The file of a method's model, or of a reference."""
    return f"{name}.onnx"


def read_page_models(folder: Path) -> PageModels | None:
    """What ``unlearn page-models`` left in a folder; None where it never ran.

    Raises:
        PageModelsError: it is damaged, or a file is missing.
    """
    try:
        read = PageModels.model_validate_json((folder / INDEX).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise PageModelsError(f"{folder / INDEX} cannot be read: {reason}. {_AGAIN}") from error
    missing = [name for name in read.files() if not (folder / name).is_file()]
    if missing:
        raise PageModelsError(f"{folder / missing[0]} is missing. {_AGAIN}")
    return read


_AGAIN = "Delete the folder, or make it again: unlearn page-models"
