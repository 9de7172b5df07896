"""What published benchmarks have in common: a name with a variant, files that somebody fetched, and what is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from reference_impls.metrics.answers import rouge_l_f1
from reference_impls.metrics.sets import mean
from reference_impls.tasks import rows
from reference_impls.tasks.sources import Library, Rows, Source
from reference_impls.toolkit import LanguageModel, Pair, Task, UnlearnedModel


class Benchmark(Task):
    """A published benchmark, in one of its variants: ``tofu/forget10``."""

    variants: ClassVar[Mapping[str, str]]
    """What each of its tasks is, by name. A name in angle brackets stands for any."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        """Read the files of a variant.

        Args:
            name: ``benchmark/variant``.
            folder: where they are looked for first.

        Raises:
            UsageError: some are missing (one message says which, and how to get them), or cannot be read.
        """
        self.name = name
        self.variant = name.partition("/")[2]
        self.place = folder
        self.files: dict[str, Rows] = Library(folder).read(self.sources(), name)

    @abstractmethod
    def sources(self) -> dict[str, Source]:
        """The files that this variant is made of, by what they are for."""

    def said(self, part: str) -> list[rows.Said]:
        """What the rows of a file say."""
        return [rows.read(row) for _, row in self.files[part]]

    def pairs(self, part: str, model: LanguageModel) -> tuple[Pair, ...]:
        """The rows of a file as pairs in a model's format; texts become as many as they have windows."""
        return tuple(pair for place, row in self.files[part] for pair in rows.pairs(row, place, model))


def passage(text: str) -> Pair:
    """A text as it stands, in one piece whatever its length."""
    return Pair("", text, closed=False)


def write(
    model: UnlearnedModel, pairs: Sequence[Pair], max_new_tokens: int, cut: Callable[[str], str] = str
) -> list[str]:
    """What a model writes after each prompt.

    Args:
        model: whom to ask.
        pairs: whose prompts.
        max_new_tokens: how long an answer may get.
        cut: what counts of what was written.
    """
    return [cut(text) for text in model.generate([pair.prompt for pair in pairs], max_new_tokens)]


def agreement(pairs: Sequence[Pair], written: Sequence[str], score: Callable[[str, str], float] = rouge_l_f1) -> float:
    """The mean score of what was written against each pair's answer."""
    return mean([score(pair.answer, text) for pair, text in zip(pairs, written, strict=True)])
