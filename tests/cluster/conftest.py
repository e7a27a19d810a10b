"""How is the cluster suite shared out? A folder is a suite: one worker runs all of it, and then ends its clusters.

An API server costs 10 s of a core to start and some percent of one for as long as it runs, so that clusters that wait
for the end of the run would slow it by half.
"""

from pathlib import Path

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

HERE = Path(__file__).parent
LONGEST_FIRST = ("rollouts", "operator", "faults", "kinds", "chart", "gateway", "kube", "library")


class Suite(pytest.Package):
    """A folder; fixtures of its conftest.py with `scope="package"` end with it. It needs no `__init__.py`."""

    def setup(self) -> None:
        """Nothing to import."""


class BySuite(LoadScopeScheduling):
    """A worker takes a whole folder at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every folder here is a suite."""
    if path.parent != HERE or path.name.startswith(("_", ".")):
        return None
    suite: pytest.Collector = Suite.from_parent(parent, path=path)
    return suite


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that the workers end together."""
    names = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: names.get(item.path.parent.name, len(names)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """In the order of collection."""
    config.option.loadscopereorder = False
    return BySuite(config, log)  # type: ignore[arg-type]  # xdist's own kind of logger
