"""Killed at any moment, a command leaves each file as it was or as it was to be; the next run sets all right."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from forked import COMMANDS, contents, do_until, is_part, prepare, run_until, torn
from small_checkout import Checkout

from catalog.outputs.site.build import put_back, replace_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that is a copy of this one")

MOMENTS = (*range(1, 11), *(int(10 * 1.7**step) for step in range(1, 15)))
"""All at first, then at growing distance: a build has hundreds, alike."""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_at_any_moment(command: str, checkout: Checkout, tmp_path: Path) -> None:
    words, start = COMMANDS[command], checkout.root
    before, after = prepare(command, checkout, tmp_path / "whole")
    for moment in MOMENTS:
        root = tmp_path / f"killed-{moment}"
        shutil.copytree(start, root)
        if not run_until(moment, words, root):
            break
        left = contents(root)
        assert torn(left, before, after) == [], moment
        lost = [name for name in before if name not in left and name in after]
        assert lost == [], moment
        for part in filter(is_part, left):
            os.utime(root / part, (0, 0))  # long ago: nobody is writing it any more
        assert not run_until(0, words, root)
        assert contents(root) == after, moment
        shutil.rmtree(root)
    assert moment > 2


def test_a_site_that_takes_the_place_of_another_is_killed_at_any_moment(tmp_path: Path) -> None:
    """Afterwards, and once the next build has begun, there is the old one or the new one, whole."""
    for moment in range(1, 100):
        at = tmp_path / f"killed-{moment}"
        sites = {name: {f"{page}.html": f"{name} {page}".encode() for page in "abc"} for name in ("site", "site-new")}
        for name, pages in sites.items():
            (at / name).mkdir(parents=True)
            for page, content in pages.items():
                (at / name / page).write_bytes(content)
        killed = do_until(moment, partial(replace_folder, at / "site-new", at / "site"))
        put_back(at / "site")
        assert contents(at / "site") in sites.values(), moment
        assert {path.name for path in at.iterdir()} <= set(sites), moment
        if not killed:
            break
        if (at / "site-new").exists():
            replace_folder(at / "site-new", at / "site")
        assert contents(at / "site") == sites["site-new"], moment
    assert moment > 2
