"""What a write tells its caller when the server is busy, gone, frozen or somebody else."""

import asyncio
import dataclasses
import ssl
from typing import Any

import pytest
from mizzen_kube.api import Api, Selection, open_api
from mizzen_kube.errors import AlreadyExistsError, ThrottledError, UnavailableError
from mizzen_kube.kubeconfig import from_kubeconfig
from mizzen_kube.resources import CONFIG_MAPS
from mizzen_kube.transport import Patience
from support.cluster.cluster import Cluster
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Fault, Rule, When, is_write
from support.cluster.objects import Objects


def settings(objects: Objects) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": objects.namespace}}


async def test_a_busy_server_says_how_long_to_wait_and_nothing_was_done(
    through: Api, proxy: FaultProxy, objects: Objects
) -> None:
    proxy.add(Rule(Fault.ANSWER, is_write, status=429, headers={"Retry-After": "7"}))
    with pytest.raises(ThrottledError) as told:
        await through.create(settings(objects), field_manager="test")
    assert told.value.retry_after == 7
    assert len(proxy.writes) == 1, "who asked decides when to try again"
    assert objects.get("ConfigMap", "a") is None


@pytest.mark.parametrize("when", When)
async def test_a_connection_that_ends_in_a_write_leaves_open_whether_it_was_done(
    through: Api, proxy: FaultProxy, objects: Objects, when: When
) -> None:
    proxy.add(Rule(Fault.CUT, is_write, when=when, times=1))
    with pytest.raises(UnavailableError):
        await through.create(settings(objects), field_manager="test")
    assert len(proxy.writes) == 1
    assert (objects.get("ConfigMap", "a") is not None) == (when is When.AFTER)
    if when is When.AFTER:
        with pytest.raises(AlreadyExistsError):
            await through.create(settings(objects), field_manager="test")


async def test_an_answer_cut_short_is_no_answer(through: Api, proxy: FaultProxy, objects: Objects) -> None:
    proxy.add(Rule(Fault.TRUNCATE, is_write, bytes=30, times=1))
    with pytest.raises(UnavailableError, match="30 bytes that are no JSON"):
        await through.create(settings(objects), field_manager="test")


async def test_a_frozen_server_is_given_up_in_time(server: Cluster, objects: Objects) -> None:
    connection = await from_kubeconfig(str(server.kubeconfig))
    async with open_api(connection, patience=Patience(request=1.0)) as api:
        await api.list(CONFIG_MAPS, Selection(objects.namespace))
        server.api_server.pause()
        try:
            async with asyncio.timeout(20):
                with pytest.raises(UnavailableError, match="in time"):
                    await api.create(settings(objects), field_manager="test")
                with pytest.raises(UnavailableError, match="in time"):
                    await anext(api.watch(CONFIG_MAPS, resource_version="1"))
        finally:
            server.api_server.resume()
        await api.list(CONFIG_MAPS, Selection(objects.namespace))


async def test_a_server_with_another_authority_gets_no_token(server: Cluster, objects: Objects) -> None:
    connection = await from_kubeconfig(str(server.kubeconfig))
    stranger = dataclasses.replace(connection, tls=ssl.create_default_context(), ca_file=None)
    async with open_api(stranger) as api:
        with pytest.raises(UnavailableError, match="certificate"):
            await api.list(CONFIG_MAPS, Selection(objects.namespace))


async def test_an_authority_that_was_replaced_is_trusted_at_the_next_request(server: Cluster, objects: Objects) -> None:
    connection = await from_kubeconfig(str(server.kubeconfig))
    distrusting = dataclasses.replace(connection, tls=ssl.create_default_context(), ca_file=server.folder.authority)
    async with open_api(distrusting) as api:
        with pytest.raises(UnavailableError, match="certificate"):
            await api.list(CONFIG_MAPS, Selection(objects.namespace))
        await api.list(CONFIG_MAPS, Selection(objects.namespace))
