"""Files that are lists of entries: each entry as a model, or problems with a place; the one reader of such files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from catalog.parsing.problems import Problem
from catalog.parsing.tree import Mark, Place, Tree, read_tree
from catalog.parsing.validation import validate

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Entries(Generic[M]):
    """What a file holds, as far as it is right, and where each part stands."""

    file: str
    by_index: dict[int, M]
    """The entries by their place in the list; those that are wrong are missing."""
    tree: Tree | None = None

    def __iter__(self) -> Iterator[M]:
        return iter(self.by_index.values())

    def mark(self, place: Place) -> Mark:
        """The position of a part: ``(2, "paper")`` is that of the third entry's paper."""
        return self.tree.mark(place) if self.tree else Mark(1, 1)


def read_entries(path: Path, root: Path, model: type[M], code: str | None = None) -> tuple[Entries[M], list[Problem]]:
    """The entries of a file, with problems; none if there is no such file.

    Args:
        path: the file.
        root: what problems name it relative to.
        model: what an entry is.
        code: the code of what is wrong with an entry, if it is one for all.
    """
    if not path.is_file():
        return Entries(path.name, {}), []
    file = path.relative_to(root).as_posix()
    tree, problems = read_tree(path, file)
    if tree is None:
        return Entries(file, {}), problems
    tree = tree.with_numbers()
    if not isinstance(tree.value, tuple):
        hint = "Start each entry with '- '."
        return Entries(file, {}), [*problems, Problem(file, 1, 1, "wrong-type", "error", "this file is a list", hint)]
    entries: dict[int, M] = {}
    for index in range(len(tree.value)):
        entry, wrong = validate(model, tree, (index,), "this entry")
        ours = tree.faults.values()  # what is wrong with a value whatever it is for has a code of its own
        problems += [replace(problem, code=code) if code and problem not in ours else problem for problem in wrong]
        if entry is not None:
            entries[index] = entry
    return Entries(file, entries, tree), problems
