"""Ask it yourself: models that a method's page loads when somebody asks for them, and what computes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.base.project import Project
from catalog.model.page_models import BEFORE, RETRAINED, TOKENIZER, PageModels, file_of, read_page_models
from catalog.outputs.site.npm import RUNTIME, part_files

ASKED = "ask"
"""The folder of the site that holds all of it."""
TOLD = {"before_question", "after_question", "stops", "longest", "window"}
"""What a page's script has to know of the models."""


@dataclass(frozen=True)
class Asked:
    """The models that pages may ask."""

    models: PageModels
    files: dict[str, bytes]
    """By their place in the site: the models, and what computes them."""

    @classmethod
    def of(cls, folder: Path, project: Project) -> Asked | None:
        """Those that ``unlearn page-models`` left in a folder; None where it never ran.

        Raises:
            PageModelsError: they are damaged.
            PartsError: the packages that compute them are missing.
        """
        if (models := read_page_models(folder)) is None:
            return None
        own = {f"{ASKED}/{name}": (folder / name).read_bytes() for name in models.files()}
        return cls(models, own | part_files(project, RUNTIME))

    def about(self, method: str) -> dict[str, Any] | None:
        """What the script on a method's page has to know; None where the method has no model."""
        if method not in self.models.models:
            return None
        return self.models.model_dump(include=TOLD) | {
            "tokenizer": TOKENIZER,
            "files": [("before", file_of(BEFORE)), ("after", file_of(method)), ("retrained", file_of(RETRAINED))],
            "suggestions": list(self.models.suggestions.items()),
        }

    def loaded_bytes(self, method: str) -> int:
        """How much a method's page loads before the models answer."""
        loaded = {*RUNTIME, *(f"{ASKED}/{name}" for name in (TOKENIZER, *map(file_of, (BEFORE, method, RETRAINED))))}
        return sum(len(content) for place, content in self.files.items() if place in loaded)
