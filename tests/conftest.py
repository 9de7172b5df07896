"""How the tests share a machine."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long one example takes says more about the machine than about the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is dear is made once: a module's tests stay on one worker, and so do all that look at the built site."""
    for item in items:
        looks_at_site = "site" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("site" if looks_at_site else item.path.as_posix()))
