"""One real node for all stories of a run, Mizzen on it, a namespace for each test, and what the run says at its end."""

import time
from collections.abc import Iterator

import pytest
from support.cluster.objects import Objects
from support.cluster.real_node import packages
from support.cluster.real_node.node import Node, start_node
from support.cluster.real_node.pods import web
from support.cluster.shared import fresh_namespace
from support.story.mizzen_on_node import Platform

import images

_told: list[str] = []


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A node that runs containers; its end fails the run where anything of it is left."""
    with start_node() as node:
        ready = time.monotonic() - node.began
        node.objects.create(web("first", "hello"))
        node.wait_running("first")
        running = time.monotonic() - node.began
        _told.append(f"{node.name}: node ready {ready:.1f} s, first pod ready {running:.1f} s after the start")
        yield node
    _told.append(f"{node.name}: nothing is left of it")


@pytest.fixture
def namespace(node: Node) -> Iterator[Objects]:
    """Objects in a namespace of the test's own, which goes with it."""
    objects = fresh_namespace(node.cluster)
    yield objects
    objects.delete("Namespace", objects.namespace)
    objects.close()


@pytest.fixture(scope="session")
def archives() -> dict[str, images.Archive]:
    """The product's images, built where the cache does not have them; before the node starts, which would only wait."""
    packages.install(packages.IMAGES)
    began = time.monotonic()
    found = images.built()
    sizes = ", ".join(f"{name} {archive.size_bytes / 1e6:.0f} MB" for name, archive in found.items())
    _told.append(f"images: {sizes}; built or found in {time.monotonic() - began:.0f} s")
    return found


@pytest.fixture(scope="session")
def images_on_the_node(
    archives: dict[str, images.Archive], node: Node, tmp_path_factory: pytest.TempPathFactory
) -> Platform:
    """The product's images are there, and nothing is installed yet."""
    platform = Platform(node, tmp_path_factory.mktemp("platform"), _told)
    platform.before = platform.everything()
    platform.load_images(archives)
    return platform


@pytest.fixture(scope="module")
def platform_of_module(images_on_the_node: Platform) -> Platform:
    """Mizzen serves when the first test of a file begins."""
    if not images_on_the_node.installed():
        images_on_the_node.install()
    images_on_the_node.wait_serving()
    return images_on_the_node


@pytest.fixture
def platform(platform_of_module: Platform) -> Platform:
    """Mizzen, serving, as examples/cluster/values-trial.yaml says."""
    platform_of_module.wait_serving()
    return platform_of_module


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how long the parts took, and how large they are."""
    for line in _told:
        terminalreporter.write_line(line)
