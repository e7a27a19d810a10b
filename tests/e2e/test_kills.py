"""Operator, control plane, gateway and engine are killed in turn under load; callers notice the gateway at most."""

import time
from collections.abc import Callable, Iterator

import pytest
from support.chart import NAMESPACE
from support.cluster.objects import Object, wait_until
from support.story import sentiment
from support.story.caller import Failure, Load
from support.story.mizzen_on_node import SECONDS, Platform, Tenant


@pytest.fixture(scope="module")
def callers(platform_of_module: Platform) -> Iterator[Tenant]:
    with platform_of_module.tenant("kills", versions=1) as tenant:
        tenant.objects.create(sentiment.deployment(tenant.namespace, replicas=2))
        tenant.wait_ready()
        yield tenant


@pytest.fixture(scope="module")
def loads() -> list[Load]:
    """Every load of this file, for the ledger."""
    return []


@pytest.fixture
def load(platform: Platform, callers: Tenant, loads: list[Load]) -> Load:
    loads.append(Load(platform.gateway, callers.key))
    return loads[-1]


def _restarts(pod: Object) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", []))


def _kill(platform: Platform, pod: Object, container: str, healed: Callable[[], object]) -> tuple[float, float]:
    """Kill a container and wait until it runs again and all is well; when on the monotonic clock, and until when."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    before = _restarts(pod)
    at = time.monotonic()
    platform.node.kill_container(pod, container)

    def restarted() -> bool:
        now = platform.node.objects.get("Pod", name, namespace)
        return now is not None and _restarts(now) > before and bool(healed())

    wait_until(restarted, SECONDS, lambda: f"{container} of {name} back\n{platform.events()}")
    over = time.monotonic()
    platform.told.append(f"{name}: healed {over - at:.1f} s after kill -9")
    return at, over


def _program(platform: Platform, name: str) -> Object:
    """The pod of a program that does the work."""
    pods = platform.pods(f"mizzen-{name}")
    if name != "operator":
        return pods[0]
    lease = platform.node.objects.get("Lease", "mizzen-operator", NAMESPACE)
    assert lease
    holder = lease["spec"]["holderIdentity"]
    [found] = [pod for pod in pods if pod["metadata"]["name"] in holder]
    return found


@pytest.mark.parametrize("program", ["operator", "controlplane"])
def test_callers_do_not_notice_the_end_of_a_program_that_is_not_in_their_way(
    platform: Platform, load: Load, program: str
) -> None:
    with load.running():
        _kill(platform, _program(platform, program), program, lambda: not platform.unready())
    assert load.failures == [], str(load)


def test_an_engine_that_ends_is_replaced_by_the_other_for_callers_too(
    platform: Platform, callers: Tenant, load: Load
) -> None:
    with load.running():
        _kill(platform, callers.pods()[0], "engine", lambda: callers.wait_ready())
    assert load.failures == [], str(load)


def test_the_end_of_a_gateway_cuts_its_own_connections_and_nothing_else(platform: Platform, load: Load) -> None:
    with load.running():
        at, over = _kill(platform, _program(platform, "gateway"), "gateway", lambda: not platform.unready())
        load.wait_answers(20)
    platform.told.append(f"a gateway of two was killed: {load}")
    assert [str(each) for each in load.failures if not _was_cut(each, at, over)] == []


def test_every_answered_request_is_in_the_ledger_once(platform: Platform, callers: Tenant, loads: list[Load]) -> None:
    answered = sum(load.answers.total() for load in loads)
    tried = answered + sum(len(load.failures) for load in loads)
    names: list[str] = []

    def booked() -> bool:
        names[:] = [row["id"] for row in platform.rows(callers.namespace)]
        return len(names) >= answered

    wait_until(booked, SECONDS, lambda: f"{len(names)} rows of {answered} answers")
    platform.told.append(f"killed programs: {answered} answers of {tried} requests, {len(names)} rows in the ledger")
    assert len(names) == len(set(names)) <= tried


def _was_cut(failure: Failure, at: float, over: float) -> bool:
    """A connection was lost or refused while the gateway was away; no server refused the request."""
    return not failure.refused and failure.ended >= at and failure.began <= over
