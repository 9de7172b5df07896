"""How the tests share a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says more about the machine than about the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_xdist_auto_num_workers() -> int:
    """One and a half processes per core: a quarter of the time, tests wait for a browser, a server or a pause."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + cores // 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests begin first, so that no core is left alone with one of them.

    A module's tests stay on one core (``--dist loadfile``), so that what is dear in it is made once. Groups of
    pytest-xdist, which could hold more together, have no effect with pytest 9.
    """
    slow: dict[Path, int] = {}
    for item in items:
        slow[item.path] = slow.get(item.path, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: not slow[item.path])
