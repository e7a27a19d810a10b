"""The engine behind the gateway in the transcripts: a simulated one, or a real vLLM with `--engine vllm`."""

from collections.abc import Iterator

import pytest
from support.language_engines import LanguageEngine, simulated, vllm

NOT_ASKED = pytest.StashKey[list[str]]()
"""What a real engine cannot do: names of tests and why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=["simulated", "vllm"], default="simulated")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "simulated_alone(why): no vLLM with SmolLM2 can do this")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[NOT_ASKED] = []
    if _kind(config) == "simulated":
        return
    for item in list(items):
        if mark := item.get_closest_marker("simulated_alone"):
            (why,) = mark.args
            config.stash[NOT_ASKED].append(f"not asked of vLLM: {item.name}: {why}")
            items.remove(item)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    return config.stash.get(NOT_ASKED, [])


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageEngine]:
    """The one that was asked for."""
    with simulated() if _kind(request.config) == "simulated" else vllm(tmp_path_factory.mktemp("vllm")) as found:
        yield found


def _kind(config: pytest.Config) -> str:
    # The option is not known where all tests run: pytest reads this file too late then.
    return str(config.getoption("--engine", "simulated"))
