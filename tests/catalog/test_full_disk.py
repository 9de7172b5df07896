"""On a disk with no room left, a command says so in a sentence, and leaves each file as it was or as it was to be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from forked import COMMANDS, contents, is_part, prepare, run_until, run_with_room, torn
from small_checkout import Checkout

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that is a copy of this one")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_room(command: str, checkout: Checkout, tmp_path: Path) -> None:
    words, start = COMMANDS[command], checkout.root
    before, after = prepare(command, checkout, tmp_path / "whole")
    for room in (0, 100, 500, 2_000):
        root = tmp_path / f"room-{room}"
        shutil.copytree(start, root)
        status, said = run_with_room(room, words, root)
        left = contents(root)
        if status == 0:
            assert left == after, room
        else:
            assert status in (1, 2), (room, said)
            assert "Traceback" not in said
            assert "File too large" in said, (room, said)
        assert not [name for name in left if is_part(name)], room
        assert torn(left, before, after) == [], room
        assert not run_until(0, words, root)
        assert contents(root) == after, room
    assert run_with_room(0, words, start)[0] != 0
