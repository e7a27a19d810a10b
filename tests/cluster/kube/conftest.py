"""An API server of its own, a namespace for each test, and the client straight to it or through the fault proxy."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from mizzen_kube.api import Api, open_api
from mizzen_kube.kubeconfig import from_kubeconfig
from support.cluster.cluster import CRDS, Cluster, start
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.objects import Objects
from support.cluster.shared import fresh_namespace


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server that knows one kind of ours: etcd is compacted here, which no other suite should meet."""
    definitions = tmp_path_factory.mktemp("definitions")
    shutil.copy(CRDS / "modeldeployments.mizzen.dev.yaml", definitions)
    with start(definitions=False) as cluster:
        cluster.apply_definitions(definitions)
        yield cluster


@pytest.fixture
def objects(server: Cluster) -> Objects:
    """What the administrator sees, in a namespace of this test."""
    return fresh_namespace(server)


@pytest.fixture
async def api(server: Cluster) -> AsyncIterator[Api]:
    """The client under test."""
    async with open_api(await from_kubeconfig(str(server.kubeconfig))) as api:
        yield api


@pytest.fixture
def proxy(server: Cluster) -> Iterator[FaultProxy]:
    """What stands before the API server."""
    with FaultProxy(server) as proxy:
        yield proxy


@pytest.fixture
async def through(server: Cluster, proxy: FaultProxy) -> AsyncIterator[Api]:
    """The client under test, through the proxy."""
    async with open_api(await from_kubeconfig(str(server.kubeconfig_of(ADMIN, server=proxy.server)))) as api:
        yield api
