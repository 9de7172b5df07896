"""Killed at any moment, a command leaves each file as it was or as it was to be; the next run sets all right."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from small_checkout import Checkout

from catalog.cli import main

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that is a copy of this one")

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
MOMENTS = (*range(1, 11), *(int(10 * 1.7**step) for step in range(1, 15)))
"""All at first, then at growing distance: a build has hundreds, alike."""
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
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.chdir(root)
        sys.argv = ["catalog", *words]
        changes = itertools.count(1)

        def look(event: str, given: tuple[Any, ...]) -> None:
            if changes_files(event, given) and next(changes) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        try:
            main()
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


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_at_any_moment(command: str, checkout: Checkout, tmp_path: Path) -> None:
    words, start = COMMANDS[command], checkout.root
    checkout.add("refs.bib", BIBTEX)
    checkout.change(checkout.gardens, "type: benchmark\nalso: [method]", "also: [method]\ntype: benchmark")
    if command not in ("build", "fmt"):
        assert not run_until(0, ("fmt",), start)
    before = contents(start)
    whole = tmp_path / "whole"
    shutil.copytree(start, whole)
    assert not run_until(0, words, whole)
    after = contents(whole)
    assert after != before
    for moment in MOMENTS:
        root = tmp_path / f"killed-{moment}"
        shutil.copytree(start, root)
        if not run_until(moment, words, root):
            break
        left = contents(root)
        torn = [
            name for name, text in left.items() if not is_part(name) and text not in (before.get(name), after.get(name))
        ]
        assert torn == [], moment
        lost = [name for name in before if name not in left and name in after]
        assert lost == [], moment
        for part in filter(is_part, left):
            os.utime(root / part, (0, 0))  # long ago: nobody is writing it any more
        assert not run_until(0, words, root)
        assert contents(root) == after, moment
        shutil.rmtree(root)
    assert moment > 2
