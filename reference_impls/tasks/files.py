"""A task of one's own data: what to forget and what to keep, in the forms of :mod:`reference_impls.tasks.rows`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reference_impls.tasks import rows
from reference_impls.tasks.tables import Data, read_rows
from reference_impls.toolkit import LanguageModel, Pair, Splits, Task


class FilesTask(Task):
    """Forget one file, keep another, if there is one; or rows that are not in a file."""

    name = "files"
    max_new_tokens = 64

    def __init__(self, forget: Data, retain: Data | None = None, holdout: Data | None = None) -> None:
        data = {"forget": forget, "retain": retain, "holdout": holdout}
        given = {name: source for name, source in data.items() if source is not None}
        self._called = {name: str(source) if isinstance(source, Path) else name for name, source in given.items()}
        self._rows = {name: read_rows(name, source, rows.problem, rows.FORM) for name, source in given.items()}

    def splits(self, model: LanguageModel) -> Splits:
        """The files' rows in the format of ``model``.

        Raises:
            UsageError: a row that the model's chat template does not take; names file and line.
        """
        pairs = {
            name: tuple(pair for place, row in placed_rows for pair in rows.pairs(row, place, model))
            for name, placed_rows in self._rows.items()
        }
        self.notes = tuple(dict.fromkeys([*self._notes(model), *_overlap(pairs["forget"], pairs.get("retain", ()))]))
        return Splits(forget=pairs["forget"], retain=pairs.get("retain", ()), holdout=pairs.get("holdout", ()))

    def _notes(self, model: LanguageModel) -> Iterator[str]:
        """What of the files is not used as it may have been meant."""
        for name, called in self._called.items():
            file_rows = [row for _, row in self._rows[name]]
            counts = Counter(key for row in file_rows for key in rows.unused(row))
            if counts:
                yield f"{called}: nothing reads {', '.join(_counted(key, count) for key, count in counts.items())}."
            said = [rows.read(row) for row in file_rows]
            if model.tokenizer.chat_template and any(entry.prompt is not None for entry in said):
                yield (
                    f"{called}: prompt and completion are taken as they are, without the model's chat template; "
                    "question and answer, or messages, are put in its turns."
                )
            texts = [text for entry in said for text in (entry.answer, entry.question or "")]
            marks = [mark for mark in model.tokenizer.all_special_tokens if any(mark in text for text in texts)]
            if marks:
                yield f"{called}: {', '.join(map(repr, marks))} in a text is read as the model's own mark."


def _counted(key: str, count: int) -> str:
    near = rows.nearest(key)
    return f"{key!r} (in {count} row{'s' * (count > 1)}{f'; is {near!r} meant?' if near else ''})"


def _overlap(forget: Sequence[Pair], retain: Sequence[Pair]) -> Iterator[str]:
    kept: set[Any] = {(pair.prompt, pair.answer) for pair in retain}
    both = sum((pair.prompt, pair.answer) in kept for pair in forget)
    if both:
        yield f"{both} of {len(forget)} rows to forget are to be kept as well, so that the two work against each other."
