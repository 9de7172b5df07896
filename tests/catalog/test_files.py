"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from catalog.base.files import part_of, sweep, write_new, write_whole


def test_writes_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a/b/c.txt"
    assert write_whole(path, "é")
    assert path.read_bytes() == "é".encode()
    assert not write_whole(path, "é")
    assert write_whole(path, b"\x00")
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.txt"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    write_whole(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.txt"
    # The same process number at the same time again is another writer's name all the same.
    monkeypatch.setattr("catalog.base.files.time.time_ns", lambda: 7)
    left = part_of(path)
    left.write_text("a part")
    assert write_whole(path, "whole")
    path.unlink()
    write_new(path, "whole")
    assert path.read_text() == "whole"
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [left, path], "it may be a writer's that is at it"
    os.utime(left, (0, 0))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
