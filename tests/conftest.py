"""How the suite is spread over processes: modules stay whole, and those that need what there is once, together."""

from collections import defaultdict

import pytest

ALONE = {"pcscd": "virtual reader", "played": "virtual reader", "tour": "virtual reader"}
"""Fixtures that hold what this machine has once, and its name."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    modules: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        modules[item.nodeid.partition("::")[0]].append(item)
    for module, its in modules.items():
        used = {name for item in its for name in getattr(item, "fixturenames", ()) if name in ALONE}
        group = ALONE[used.pop()] if used else module
        for item in its:
            item.add_marker(pytest.mark.xdist_group(group))
