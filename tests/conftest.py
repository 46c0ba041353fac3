"""What every test may use, and how the suite is spread over processes: modules stay whole, and those that need what
there is once, together.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from xdist.scheduler import LoadScopeScheduling

import postgres

CHROMIUM = Path("/usr/bin/chromium")
expect.set_options(timeout=30_000)
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


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """PostgreSQL for this process; each test takes a new database in it."""
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's browser. For a module at a time: while it runs, no other event loop can."""
    assert CHROMIUM.exists(), "Chromium is missing: apt install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()
