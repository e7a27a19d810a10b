"""From a cluster's objects to an EndpointSet: which pods take requests, and of which revision they are."""

from typing import Any

import pytest
from mizzen_gateway.discovery import kubernetes_views as views
from mizzen_gateway.discovery.object_views import NotServedError, deployment_facts, endpoint_set_facts, route_facts
from mizzen_gateway.routing.route import (
    EVERY_CAUSE,
    Cause,
    Fallback,
    HeaderTest,
    HedgeFacts,
    Ref,
    RouteFacts,
    RuleFacts,
)

LABELS = {"app.kubernetes.io/managed-by": "mizzen", "mizzen.dev/deployment": "chat"}


def deployment(*revisions: tuple[str, int], name: str = "chat", engine: str = "vLLM", **spec: Any) -> dict[str, Any]:
    listed = [
        {"name": f"{name}-{one}", "hash": one, "trafficPercent": percent, "replicas": 1, "createdAt": "2026-01-01"}
        for one, percent in revisions
    ]
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "team-a", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"engine": {"type": engine}, "model": {"uri": "pvc://x/y"}, "replicas": 2, **spec},
        "status": {"project": "team", "revisions": listed, "conditions": [], "desiredReplicas": 2},
    }


def slice_manifest(*pods: tuple[str, str], **conditions: bool) -> dict[str, Any]:
    endpoints = [
        {"addresses": [address], "targetRef": {"kind": "Pod", "name": pod}, "conditions": {"ready": True, **conditions}}
        for pod, address in pods
    ]
    ports = [{"name": "http", "port": 8000}, {"name": "metrics", "port": 8002}]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "chat-pods-x", "namespace": "team-a", "labels": LABELS},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": endpoints,
    }


def endpoints(manifest: dict[str, Any], *slices: dict[str, Any]) -> list[dict[str, Any]]:
    document = views.deployment_document(manifest)
    made = views.endpoint_set_document(document, "OpenAI", map(views.slice_of, slices))
    assert made is not None
    found: list[dict[str, Any]] = made["spec"]["endpoints"]
    return found


def test_a_pod_belongs_to_the_revision_that_it_is_named_after() -> None:
    manifest = deployment(("aaaaaaaaaa", 90), ("bbbbbbbbbb", 10))
    pods = [("chat-aaaaaaaaaa-7d9f8-abcde", "10.0.0.1"), ("chat-bbbbbbbbbb-0", "10.0.0.2"), ("stranger", "10.0.0.3")]
    found = endpoints(manifest, slice_manifest(*pods))
    assert [(one["pod"], one["revision"], one["port"]) for one in found] == [
        ("chat-aaaaaaaaaa-7d9f8-abcde", "aaaaaaaaaa", 8000),
        ("chat-bbbbbbbbbb-0", "bbbbbbbbbb", 8000),
        ("stranger", "", 8000),
    ]


def test_a_port_for_grpc_is_known_where_the_slice_names_one() -> None:
    with_one = slice_manifest(("chat-a-1", "10.0.0.1"))
    with_one["ports"].append({"name": "grpc", "port": 8001})
    found = endpoints(deployment(("a", 100)), with_one, slice_manifest(("chat-a-2", "10.0.0.2")))
    assert [(one["pod"], one["grpcPort"]) for one in found] == [("chat-a-1", 8001), ("chat-a-2", None)]


def test_a_pod_whose_name_was_cut_is_known_by_its_beginning() -> None:
    name = "m" * 47 + "-1234"
    manifest = deployment(("aaaaaaaaaa", 50), ("aabaaaaaaa", 50), name=name)
    cut = f"{name}-aabaaaaaaa-76b5f4c5d9-"[:58] + "x7x7x"
    assert views.revision_of(cut, views.deployment_document(manifest)["status"]["revisions"]) == "aabaaaaaaa"


def test_a_pod_that_two_revisions_could_have_belongs_to_none() -> None:
    revisions = [{"name": "m" * 53 + "-" + one, "hash": one} for one in ("aaaa111111", "aaaa222222")]
    assert views.revision_of("m" * 53 + "-aaaa" + "x7x7x", revisions) == ""


def test_a_terminating_pod_takes_nothing_new_and_one_that_is_not_ready_nothing_yet() -> None:
    manifest = deployment(("a", 100))
    [going] = endpoints(manifest, slice_manifest(("chat-a-1", "10.0.0.1"), terminating=True, serving=True))
    [waiting] = endpoints(manifest, slice_manifest(("chat-a-1", "10.0.0.1"), ready=False))
    assert (going["ready"], going["terminating"]) == (False, True)
    assert (waiting["ready"], waiting["terminating"]) == (False, False)


def test_only_pods_are_endpoints_and_each_is_one_however_many_slices_hold_it() -> None:
    by_hand = slice_manifest(("chat-a-2", "10.0.0.2"))
    del by_hand["endpoints"][0]["targetRef"]
    pod = slice_manifest(("chat-a-1", "10.0.0.1"))
    assert [one["pod"] for one in endpoints(deployment(("a", 100)), by_hand, pod, pod)] == ["chat-a-1"]


def test_traffic_and_names_come_from_status_and_spec() -> None:
    manifest = deployment(("a", 75), ("b", 25), ("c", 0), servedModelName="gpt", aliases=["best"])
    document = views.deployment_document(manifest)
    made = views.endpoint_set_document(document, None, [])
    assert made is not None
    facts, endpoint_set = deployment_facts(document), endpoint_set_facts(made)
    assert (facts.project, facts.names, facts.replicas_wanted) == ("team", ("gpt", "best"), 2)
    assert (endpoint_set.traffic, endpoint_set.model_name) == ((("a", 75), ("b", 25)), "gpt")
    assert endpoint_set.protocol == "OpenAI"


def test_the_protocol_of_a_custom_engine_is_unknown_without_its_runtime() -> None:
    document = views.deployment_document(deployment(("a", 100), engine="Custom") | {})
    assert views.endpoint_set_document(document, None, []) is None
    made = views.endpoint_set_document(document, "OpenInference", [])
    assert made is not None
    assert made["spec"]["protocol"] == "OpenInference"


def test_a_stalled_deployment_says_so() -> None:
    manifest = deployment(("a", 100))
    manifest["status"]["conditions"] = [{"type": "Stalled", "status": "True", "reason": "X"}]
    assert deployment_facts(views.deployment_document(manifest)).stalled


def route(accepted: str = "True", resolved: tuple[str, str] = ("True", "ResolvedRefs"), **rule: Any) -> dict[str, Any]:
    metadata = {"name": "r", "namespace": "team-a", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z"}
    told = [
        {"type": "Ready", "status": "True", "reason": "BackendsReady", "message": "m"},
        {"type": "Accepted", "status": accepted, "reason": "Accepted", "message": "m"},
        {"type": "ResolvedRefs", "status": resolved[0], "reason": resolved[1], "message": "m"},
    ]
    backends = [{"deployment": "one", "weight": 3}, {"deployment": "two"}, {"deployment": "three", "weight": 0}]
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelRoute",
        "metadata": metadata,
        "spec": {"servedModelName": "chat", "rules": [{"name": "all", "backends": backends, **rule}]},
        "status": {"observedGeneration": 2, "project": "team", "url": "u", "conditions": told},
    }


def followed(manifest: dict[str, Any]) -> bool | None:
    return views.is_followed(views.route_document(manifest))


def test_a_route_is_followed_once_the_operator_accepted_what_it_says_now() -> None:
    assert followed(route()) is True
    assert followed(route("False")) is False
    assert followed(route("Unknown")) is None
    stale, new = route("False"), route()
    stale["metadata"]["generation"] = 3
    del new["status"]
    assert (followed(stale), followed(new)) == (None, None)
    going = route()
    going["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    assert followed(going) is False


def test_a_missing_backend_refuses_nothing_and_any_other_reference_that_fails_does() -> None:
    assert followed(route(resolved=("False", "BackendNotFound"))) is True
    assert followed(route(resolved=("False", "UnsupportedProtocol"))) is False
    assert followed(route(resolved=("Unknown", "NotObserved"))) is None


def test_a_route_without_a_project_serves_no_one() -> None:
    unclaimed = route()
    del unclaimed["status"]["project"]
    assert followed(unclaimed) is None


RULE: dict[str, Any] = {"retries": frozenset({"ConnectionFailed", "Unavailable"})}


def test_every_part_of_a_rule_is_read() -> None:
    rule = {
        "backends": [{"model": "other/llama"}, {"route": "next", "weight": 2}],
        "fallbacks": [{"deployment": "last"}],
        "matches": [{"headers": [{"name": "x-tier", "value": "gold"}, {"name": "x-test", "type": "Present"}]}],
        "mirrors": [{"deployment": "new", "percent": 5}],
        "sticky": {"by": "Header", "header": "x-user"},
        "retries": {"attempts": 3, "causes": ["Overloaded"]},
        "hedge": {"delayMilliseconds": 250},
        "timeouts": {"requestSeconds": 30, "firstByteSeconds": 0, "idleSeconds": 5},
    }
    manifest = route()
    manifest["spec"]["rules"] = [{"name": "gold", **rule}]
    (found,) = route_facts(views.route_document(manifest)).rules
    assert found == RuleFacts(
        name="gold",
        backends=((Ref("model", "other/llama"), 1), (Ref("route", "next"), 2)),
        fallbacks=(Fallback(Ref("deployment", "last"), EVERY_CAUSE),),
        matches=((HeaderTest(b"x-tier", "Exact", b"gold"), HeaderTest(b"x-test", "Present")),),
        mirrors=((Ref("deployment", "new"), 5),),
        sticky=b"x-user",
        attempts=3,
        retries=frozenset({"Overloaded"}),
        hedge=HedgeFacts(0.25, measured=True),
        request_seconds=30,
        first_byte_seconds=0,
        idle_seconds=5,
    )


def test_facts_of_a_route_leave_backends_without_a_weight_out() -> None:
    fallbacks = [{"deployment": "last", "causes": ["NotReady"]}]
    facts = route_facts(views.route_document(route(fallbacks=fallbacks)))
    last = Fallback(Ref("deployment", "last"), frozenset({Cause.NOT_READY}))
    backends = ((Ref("deployment", "one"), 3), (Ref("deployment", "two"), 1))
    wanted = RouteFacts(
        key=("team-a", "r"),
        project="team",
        name="chat",
        rules=(RuleFacts("all", backends, (last,), **RULE),),
        created_at="2026-01-01T00:00:00+00:00",
    )
    assert facts == wanted


def test_a_route_that_asks_for_more_than_this_gateway_does_is_not_read_by_half() -> None:
    with pytest.raises(NotServedError, match=r"spec\.rules\[0\]\.sticky"):
        route_facts(
            views.route_document(route(backends=[], pipeline=[{"name": "one", "deployment": "two"}], sticky={}))
        )
