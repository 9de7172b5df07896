"""Where the files of a published data set lie, and what to do where they are not.

They are looked for in a folder that somebody names, in the cache of the Hugging Face hub, and through the package
``datasets``, if it is installed. A file is looked for by its name in its repository, without the ending:
``knowmem/forget_qa`` is there as ``.json``, ``.jsonl``, ``.csv``, ``.txt`` or in pieces
(``forget_qa-00000-of-00001.parquet``).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_impls.tasks import rows
from reference_impls.tasks.tables import checked, read_rows
from reference_impls.toolkit import UsageError

FOLDER = "UNLEARN_DATA"
"""The environment variable that names a folder of data sets where no option does."""
ENDINGS = (".json", ".jsonl", ".csv", ".txt", ".parquet")
Rows = Sequence[tuple[str, dict[str, Any]]]
"""(place, row) each: where a row is, for messages, and what is there."""


@dataclass(frozen=True)
class Form:
    """What the rows of a file look like."""

    problem: Callable[[Any], str]
    """What is wrong with a row; empty if nothing is."""
    words: str
    """What rows look like, as a sentence."""


def _only(what: str, fits: Callable[[rows.Said], bool]) -> Form:
    """One of the forms of one's own data files alone."""

    def problem(row: Any) -> str:
        return rows.problem(row) or ("" if fits(rows.read(row)) else f"is not {what}")

    return Form(problem, f"Each row is {what}.")


PAIRS = Form(rows.problem, rows.FORM)
"""Any form of one's own data files."""
QUESTIONS = _only("a question with its answer", lambda said: said.question is not None)
CONTINUED = _only("a prompt with what follows it", lambda said: said.prompt is not None)
TEXTS = _only('a text, or {"text": ...}', lambda said: said.is_text)


@dataclass(frozen=True)
class Source:
    """A file of a data set on the hub."""

    repository: str
    """``owner/name``; empty for what nobody publishes, and may be missing."""
    stem: str
    """What the file is called there, without its ending."""
    config: str = ""
    """What ``datasets`` calls the part that it belongs to; the stem by default."""
    split: str = "train"
    """What ``datasets`` calls it within that part."""
    also: tuple[str, ...] = ()
    """What it is called elsewhere, as in the folder of the paper's own code; a * stands for anything."""
    gated: bool = False
    """Whether its owners want to be asked first."""
    alone: bool = False
    """Whether its repository has nothing else."""
    form: Form = PAIRS
    """What its rows look like."""

    @property
    def name(self) -> str:
        """The repository's name without its owner."""
        return self.repository.rpartition("/")[2]


class Library:
    """The places where data sets are looked for."""

    def __init__(self, folder: Path | None = None) -> None:
        """Look into a folder first; without one, into that of the environment.

        Raises:
            UsageError: the folder is none.
        """
        named = os.environ.get(FOLDER)
        self.folder = folder or (Path(named) if named else None)
        if self.folder is not None and not self.folder.is_dir():
            said = "--data" if folder else FOLDER
            raise UsageError(f"{said} {self.folder}: there is no such folder.")

    def read(self, wanted: Mapping[str, Source], title: str) -> dict[str, Rows]:
        """The rows of several files, by the names that they are given.

        Args:
            wanted: the files.
            title: what needs them, for the message.

        Raises:
            UsageError: some are nowhere (one message says which, and how to get them all), or cannot be read.
        """
        rows_by_name: dict[str, Rows] = {}
        missing = []
        for name, source in wanted.items():
            form = source.form
            if paths := self.find(source):
                rows_by_name[name] = [row for path in paths for row in read_rows(name, path, form.problem, form.words)]
            elif got := _through_datasets(source):
                rows_by_name[name] = checked(got, form.problem, form.words)
            elif source.repository:
                missing.append(source)
            else:
                rows_by_name[name] = []
        if missing:
            raise UsageError(self._missing(title, missing))
        return rows_by_name

    def find(self, source: Source) -> list[Path]:
        """The file in the first place that has it, in its pieces; empty if none has."""
        for place in self._places(source):
            for stem in (source.stem, *source.also):
                if paths := _pieces(place, stem):
                    return paths
        return []

    def _places(self, source: Source) -> Iterator[Path]:
        if self.folder is not None:
            yield from (self.folder / source.repository, self.folder / source.name, self.folder)
        if source.repository:
            yield from _snapshots(source.repository)

    def _missing(self, title: str, missing: Sequence[Source]) -> str:
        place = self.folder or Path("DIR")
        lines = [f"{title} needs {len(missing)} file{'s' * (len(missing) > 1)} that {_are(missing)} not here:"]
        commands = []
        for repository in dict.fromkeys(source.repository for source in missing):
            sources = [source for source in missing if source.repository == repository]
            stems = ", ".join(dict.fromkeys(source.stem for source in sources))
            asked = ", whose owners have to be asked first" if any(source.gated for source in sources) else ""
            target = place / sources[0].name
            lines.append(f"  {stems} of {repository}{asked}: into {target}")
            commands.append(_command(repository, sources, target))
        lines += [
            f"Looked in {self._looked()}.",
            "Get them, and name the folder:",
            *(f"  {command}" for command in commands),
        ]
        lines.append(f"  unlearn ... --data {place}   (or {FOLDER}={place} in the environment)")
        return "\n".join(lines)

    def _looked(self) -> str:
        folders = [str(self.folder)] if self.folder else []
        return " and ".join([*folders, f"the cache of the hub ({_hub()})"])


def _are(missing: Sequence[Source]) -> str:
    return "is" if len(missing) == 1 else "are"


def _command(repository: str, sources: Iterable[Source], target: Path) -> str:
    """What fetches files of one repository."""
    words = ["hf", "download", repository, "--repo-type", "dataset"]
    for stem in dict.fromkeys(source.stem for source in sources if not source.alone):
        words += ["--include", f"{stem}[.-]*"]
    return shlex.join([*words, "--local-dir", str(target)])


def _pieces(place: Path, stem: str) -> list[Path]:
    """A file of that name, whatever its ending, or its pieces in order."""
    for ending in ENDINGS:
        if whole := sorted(path for path in place.glob(f"{stem}{ending}") if path.is_file()):
            return whole[:1]
    return sorted(place.glob(f"{stem}-*-of-*.parquet"))


def _hub() -> Path:
    """The folder in which the hub's own client keeps what it fetched."""
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def _snapshots(repository: str) -> Iterator[Path]:
    """What the hub's client fetched of a data set: the current version first, then others."""
    place = _hub() / f"datasets--{repository.replace('/', '--')}"
    try:
        current = (place / "refs" / "main").read_text("utf-8").strip()
    except OSError:
        current = ""
    versions = sorted(path.name for path in (place / "snapshots").glob("*"))
    yield from (place / "snapshots" / version for version in sorted(versions, key=lambda name: name != current))


def _through_datasets(source: Source) -> list[tuple[str, Any]]:
    """The rows as the package ``datasets`` gives them; none where it is not installed, or has no way to them."""
    if not source.repository:
        return []
    try:
        import datasets
    except ImportError:
        return []
    try:
        data_set = datasets.load_dataset(source.repository, source.config or source.stem, split=source.split)
        got = [{key: value for key, value in row.items() if value is not None} for row in data_set]
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError):
        return []  # the message about missing files says what to do
    place = f"{source.repository}, {source.config or source.stem}"
    return [(f"{place}: row {number}", row) for number, row in enumerate(got, 1)]
