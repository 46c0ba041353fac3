"""How the suite is spread over processes: modules stay whole, and those that need what there is once, together."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

VIRTUAL_READER = (
    "tests/demo/",
    "tests/faults/",
    "tests/hardware/card/",
    "tests/hardware/camera/test_card_under_camera.py",
)
"""Where tests hold the one virtual card reader of a machine."""


class ByModule(LoadScopeScheduling):
    """A module after the other in the order of collection, each to the next free process."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "virtual reader" if module.startswith(VIRTUAL_READER) else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """xdist's own groups are marks, which pytest since 9.1 no longer lets it write into the names of tests."""
    config.option.loadscopereorder = False
    return ByModule(config, log)
