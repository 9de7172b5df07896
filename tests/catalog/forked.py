"""Commands that change files, run in copies of this process that something happens to."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from small_checkout import Checkout

from catalog.cli import main

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
BIBTEX = """\
@inproceedings{petrov2033mist,
  title = {Mist: Unlearning by Gentle Blurring},
  author = {Petrov, Ana and Solheim, Kari},
  booktitle = {Proceedings of the International Conference on Learning Representations},
  year = {2033},
  url = {https://example.org/mist}
}
"""
COMMANDS: dict[str, tuple[str, ...]] = {
    "build": ("build",),
    "fmt": ("fmt",),
    "add": ("add", "refs.bib"),
    "move": ("move", "lindqvist2031fading", "lindqvist2031away"),
    "remove": ("remove", "okonkwo2032gardens", "--reason", "Not about language models."),
    "export": ("export", "bibtex", "--out", "papers.bib"),
}


def changes_files(event: str, given: tuple[Any, ...]) -> bool:
    """Whether what Python is about to do, as its audit events tell, changes a file or folder."""
    return event in CHANGING or (event == "open" and bool(given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


def run_until(moment: int, words: tuple[str, ...], root: Path) -> bool:
    """Run a command in a copy of this process, killed before its n-th change of a file; whether it came that far."""

    def command() -> None:
        os.chdir(root)
        sys.argv = ["catalog", *words]
        main()

    return do_until(moment, command)


def do_until(moment: int, action: Callable[[], object]) -> bool:
    """Do something in a copy of this process, killed before its n-th change of a file; whether it came that far."""
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        changes = itertools.count(1)

        def look(event: str, given: tuple[Any, ...]) -> None:
            if changes_files(event, given) and next(changes) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def contents(root: Path) -> dict[str, bytes]:
    """Every file, but for what is kept between runs and may go at any time."""
    files = (path for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def is_part(name: str) -> bool:
    return name.endswith(".part")


def run_with_room(room: int, words: tuple[str, ...], root: Path) -> tuple[int, str]:
    """Run a command in a copy of this process that may write no file past so many bytes: its status and its words.

    The kernel refuses what goes beyond, as it does on a full disk.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        sys.stdout = sys.stderr = open(writing, "w", encoding="utf-8")  # noqa: SIM115
        os.chdir(root)
        sys.argv = ["catalog", *words]
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        status = 70
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        said = stream.read()
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended), said


def prepare(command: str, checkout: Checkout, place: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Give a command of `COMMANDS` something to do: the files of the checkout before it, and those after it."""
    checkout.add("refs.bib", BIBTEX)
    checkout.change(checkout.gardens, "type: benchmark\nalso: [method]", "also: [method]\ntype: benchmark")
    if command not in ("build", "fmt"):
        assert not run_until(0, ("fmt",), checkout.root)
    before = contents(checkout.root)
    shutil.copytree(checkout.root, place)
    assert not run_until(0, COMMANDS[command], place)
    after = contents(place)
    assert after != before
    return before, after


def torn(left: dict[str, bytes], before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """The files that are neither as they were nor as they were to be; parts of files are no files yet."""
    whole = {name: text for name, text in left.items() if not is_part(name)}
    return [name for name, text in whole.items() if text not in (before.get(name), after.get(name))]
