"""A token that the API server no longer takes is replaced without a restart."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mizzen_kube.api import Api, Selection, open_api
from mizzen_kube.connection import Connection, TokenFile
from mizzen_kube.errors import UnauthorizedError
from mizzen_kube.kubeconfig import from_kubeconfig
from mizzen_kube.packed import Packing
from mizzen_kube.reflector import Reflector
from mizzen_kube.resources import CONFIG_MAPS
from support.cluster.cluster import Cluster
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule, is_watch
from support.cluster.objects import Objects
from support.until import until


class Lagging(TokenFile):
    """A token file whose rotation the program has not noticed: only a refusal makes it look."""

    async def token(self) -> str:
        return self._token if self._seen else await super().token()


def rotate(file: Path, token: str) -> None:
    """As the kubelet does it."""
    fresh = file.with_suffix(".fresh")
    fresh.write_text(token)
    fresh.rename(file)


@pytest.fixture
def file(server: Cluster, tmp_path: Path) -> Path:
    """A token file, as the kubelet projects one."""
    file = tmp_path / "token"
    file.write_text(server.users[ADMIN].token)
    return file


@pytest.fixture
async def rotating(server: Cluster, proxy: FaultProxy, file: Path) -> AsyncIterator[Api]:
    """A client that lives on that file."""
    authority = server.folder.authority
    tls = ssl.create_default_context(cafile=str(authority))
    async with open_api(Connection(proxy.server, Lagging(file), tls, ca_file=authority)) as api:
        yield api


async def test_a_rotated_token_is_taken_up_at_the_first_refusal(
    rotating: Api, proxy: FaultProxy, server: Cluster, file: Path, objects: Objects
) -> None:
    rotate(file, "expired")
    with pytest.raises(UnauthorizedError):
        await rotating.list(CONFIG_MAPS, Selection(objects.namespace))
    assert [each.status for each in proxy.requests] == [401, 401], "once more with the token read afresh, and no more"
    rotate(file, server.users[ADMIN].token)
    await rotating.list(CONFIG_MAPS, Selection(objects.namespace))
    assert [each.status for each in proxy.requests[2:]] == [401, 200]


async def test_a_reflector_outlives_a_token_that_expired(
    rotating: Api, proxy: FaultProxy, server: Cluster, file: Path, objects: Objects
) -> None:
    reflector = Reflector(rotating, CONFIG_MAPS, Selection(objects.namespace), keep=Packing())
    task = asyncio.create_task(reflector.run())
    await until(reflector.synced.is_set)
    rotate(file, "expired")
    proxy.cut_connections()
    proxy.add(Rule(Fault.ANSWER, is_watch(), status=401, times=1))  # so that it looks at the file
    await until(lambda: reflector.restarts["unauthorized"] >= 3, 20)
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "meanwhile"}}
    await asyncio.to_thread(objects.create, made)
    rotate(file, server.users[ADMIN].token)
    await until(lambda: reflector.get(objects.namespace, "meanwhile"), 20)
    assert not task.done()
    task.cancel()


async def test_a_kubeconfig_that_names_a_token_file_is_read_again(
    server: Cluster, file: Path, objects: Objects
) -> None:
    rotate(file, "expired")
    kubeconfig = server.kubeconfig_with({"tokenFile": str(file)})
    async with open_api(await from_kubeconfig(str(kubeconfig))) as api:
        with pytest.raises(UnauthorizedError):
            await api.list(CONFIG_MAPS, Selection(objects.namespace))
        rotate(file, server.users[ADMIN].token)
        items, _ = await api.list(CONFIG_MAPS, Selection(objects.namespace))
        assert not items
