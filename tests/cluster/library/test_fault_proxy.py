"""Each fault of the proxy does what it says, and the API server's own state proves on which side of the server."""

import json
from collections.abc import Iterator

import httpx
import pytest
from support.cluster.cluster import Cluster
from support.cluster.credentials import ADMIN
from support.cluster.fault_proxy import FaultProxy
from support.cluster.faults import Asked, Fault, Rule, When, is_watch, is_write
from support.cluster.objects import Objects, RefusedError
from support.cluster.shared import fresh_namespace

CUT_OFF = (httpx.RemoteProtocolError, httpx.ReadError)


@pytest.fixture
def direct(bare_cluster: Cluster) -> Objects:
    """A namespace, without the proxy."""
    return fresh_namespace(bare_cluster)


@pytest.fixture
def proxy(bare_cluster: Cluster) -> Iterator[FaultProxy]:
    """The proxy."""
    with FaultProxy(bare_cluster) as proxy:
        yield proxy


@pytest.fixture
def through(bare_cluster: Cluster, proxy: FaultProxy, direct: Objects) -> Iterator[Objects]:
    """The same namespace, through the proxy; nothing is asked before the test asks."""
    token = bare_cluster.users[ADMIN].token
    direct.resource("ConfigMap")
    with Objects(proxy.server, bare_cluster.folder.authority, token, direct.namespace, direct._resources) as objects:
        yield objects


def settings(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_without_a_rule_all_passes_and_writes_are_counted(proxy: FaultProxy, through: Objects) -> None:
    through.create(settings("a"))
    through.apply(settings("a", b="c"), force=True)
    through.get("ConfigMap", "a")
    through.create({"kind": "Event", "apiVersion": "v1", **_event(through.namespace)})
    through.delete("ConfigMap", "a")
    there = f"configmaps {through.namespace}/a"
    assert [str(each) for each in proxy.writes] == [
        f"#1 create {there} -> 201",
        f"#2 patch {there} -> 200",
        f"#3 delete {there} -> 200",
    ]
    assert [each.verb for each in proxy.requests] == ["create", "patch", "get", "create", "delete"]
    proxy.forget()
    through.create(settings("b"))
    assert [each.number for each in proxy.writes] == [1]


def _event(namespace: str) -> dict:
    about = {"kind": "ConfigMap", "namespace": namespace, "name": "a"}
    return {"metadata": {"name": "e"}, "involvedObject": about, "reason": "Test", "message": "m", "type": "Normal"}


def test_a_write_cut_before_the_server_is_not_done(proxy: FaultProxy, through: Objects, direct: Objects) -> None:
    killed = []
    proxy.kill_at(2, When.BEFORE, lambda: killed.append(direct.get("ConfigMap", "b")))
    through.create(settings("a"))
    with pytest.raises(CUT_OFF):
        through.create(settings("b"))
    assert killed == [None]
    assert direct.get("ConfigMap", "b") is None
    assert proxy.writes[-1].status == 0


def test_a_write_cut_after_the_server_is_done_and_nobody_hears(
    proxy: FaultProxy, through: Objects, direct: Objects
) -> None:
    killed = []
    proxy.kill_at(2, When.AFTER, lambda: killed.append(direct.get("ConfigMap", "b")))
    through.create(settings("a"))
    with pytest.raises(CUT_OFF):
        through.create(settings("b"))
    assert killed == [direct.get("ConfigMap", "b")] != [None]
    assert proxy.writes[-1].status == 201


def test_hooks_stand_before_and_after_each_write(proxy: FaultProxy, through: Objects, direct: Objects) -> None:
    seen: list[tuple[str, int, bool]] = []

    def note(when: str) -> None:
        hook = proxy.before_write if when == "before" else proxy.after_write
        hook(lambda each: seen.append((when, each.number, direct.get("ConfigMap", each.name) is not None)))

    note("before")
    note("after")
    through.create(settings("a"))
    through.delete("ConfigMap", "a")
    assert seen == [("before", 1, False), ("after", 1, True), ("before", 2, True), ("after", 2, False)]


def test_every_second_write_may_conflict(proxy: FaultProxy, through: Objects) -> None:
    rule = proxy.add(Rule(Fault.ANSWER, is_write, status=409, every=2))
    results = [_created(through, f"m{number}") for number in range(6)]
    assert results == [409, 201, 409, 201, 409, 201]
    assert rule.taken == 3
    proxy.remove(rule)
    assert _created(through, "after") == 201


def _created(objects: Objects, name: str) -> int:
    try:
        objects.create(settings(name))
    except RefusedError as refused:
        return refused.status
    return 201


@pytest.mark.parametrize("status", [401, 410, 429, 500, 503])
def test_the_proxy_answers_a_status_of_its_own(proxy: FaultProxy, through: Objects, status: int) -> None:
    rule = Rule(Fault.ANSWER, status=status, headers={"Retry-After": "7"}, times=1, message="slow down")
    with proxy.rule(rule):
        answer = through.http.get("/api/v1/namespaces")
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
    assert (answer.json()["kind"], answer.json()["code"], answer.json()["message"]) == ("Status", status, "slow down")
    assert proxy.requests[-1].status == 0
    assert through.http.get("/api/v1/namespaces").status_code == 200


def test_a_truncated_answer_is_no_json(proxy: FaultProxy, through: Objects) -> None:
    with proxy.rule(Rule(Fault.TRUNCATE, bytes=50)):
        answer = through.http.get("/api/v1/namespaces")
    assert len(answer.content) == 50
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_dropped_request_gets_no_answer_on_an_open_connection(
    proxy: FaultProxy, through: Objects, direct: Objects
) -> None:
    with proxy.rule(Rule(Fault.DROP, is_write, When.AFTER, times=1)), pytest.raises(httpx.ReadTimeout):
        through.call("POST", through._path("ConfigMap", None, None), json=settings("a"), timeout=0.5)
    assert direct.get("ConfigMap", "a")


def test_a_delayed_request_is_passed_on_late(proxy: FaultProxy, through: Objects, direct: Objects) -> None:
    with proxy.rule(Rule(Fault.DELAY, is_write, seconds=0.5, times=1)):
        with pytest.raises(httpx.ReadTimeout):
            through.call("POST", through._path("ConfigMap", None, None), json=settings("a"), timeout=0.1)
        assert direct.get("ConfigMap", "a") is None
        direct.wait("ConfigMap", "a", lambda seen: True, 10)


def test_an_api_server_that_is_away_comes_back(proxy: FaultProxy, through: Objects) -> None:
    watched = _watch(through)
    with watched as stream, proxy.away():
        with pytest.raises(CUT_OFF):
            list(stream.iter_lines())
        with pytest.raises((*CUT_OFF, httpx.ConnectError)):
            through.get("ConfigMap", "a")
    assert through.get("ConfigMap", "a") is None


def test_a_watch_may_be_silent_while_things_happen(proxy: FaultProxy, through: Objects, direct: Objects) -> None:
    with proxy.rule(Rule(Fault.SILENCE, is_watch("configmaps"))), _watch(through) as stream:
        assert stream.status_code == 200
        direct.create(settings("unseen"))
        with pytest.raises(httpx.ReadTimeout):
            next(stream.iter_lines())
    with _watch(through) as stream:
        assert json.loads(next(stream.iter_lines()))["object"]["metadata"]["name"] == "unseen"


def test_a_watch_may_be_told_that_it_is_too_old(proxy: FaultProxy, through: Objects) -> None:
    with proxy.rule(Rule(Fault.EVENT, is_watch(), status=410)), _watch(through) as stream:
        lines = [json.loads(line) for line in stream.iter_lines()]
    assert [(each["type"], each["object"]["code"], each["object"]["reason"]) for each in lines] == [
        ("ERROR", 410, "Expired")
    ]


def test_a_watch_passes_events_as_they_happen(through: Objects, direct: Objects) -> None:
    with _watch(through) as stream:
        lines = stream.iter_lines()
        direct.create(settings("seen"))
        assert json.loads(next(lines))["object"]["metadata"]["name"] == "seen"


def _watch(objects: Objects):
    path = objects._path("ConfigMap", None, None)
    return objects.http.stream("GET", path, params={"watch": "true"}, timeout=1.0)


def test_rules_skip_and_count(proxy: FaultProxy, through: Objects) -> None:
    def is_settings(each: Asked) -> bool:
        return each.resource == "configmaps"

    proxy.add(Rule(Fault.ANSWER, is_settings, status=500, skip=1, times=2))
    assert [_created(through, f"s{number}") for number in range(5)] == [201, 500, 500, 201, 201]
