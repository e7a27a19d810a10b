"""Two tenants: neither finds the other's models, objects or Kubernetes rights, and their policies let nobody else in.

The network of this node enforces no NetworkPolicy, so the policies are held to what they say; a packet is not sent.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Object
from support.story import sentiment
from support.story.caller import ask
from support.story.mizzen_on_node import SECONDS, Platform, Tenant

_FRIENDS = {"mizzen-system": "mizzen-gateway", "monitoring": "prometheus"}
"""Namespaces whose pods may reach engines, and those pods' name."""


@pytest.fixture(scope="module")
def tenants(platform_of_module: Platform) -> Iterator[tuple[Tenant, Tenant]]:
    """The first one has a model that serves, the second one has nothing but its key."""
    platform = platform_of_module
    with (
        platform.tenant("first-team", versions=1, member="ada") as first,
        platform.tenant("second-team", versions=0, member="bob") as second,
    ):
        first.objects.create(sentiment.deployment(first.namespace))
        first.wait_ready()
        yield first, second


def _refusal(platform: Platform, key: str, model: str) -> tuple[int, Any]:
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        answer = client.get(f"http://{platform.gateway}/v2/models/{model}")
    return answer.status_code, answer.json()["error"].replace(model, "MODEL")


def test_another_tenants_model_is_one_that_does_not_exist(platform: Platform, tenants: tuple[Tenant, Tenant]) -> None:
    first, second = tenants
    assert ask(platform.gateway, first.key) == 1
    unknown = _refusal(platform, second.key, "nothing")
    assert unknown[0] == 404
    assert _refusal(platform, second.key, "sentiment") == unknown
    assert _refusal(platform, second.key, f"{first.namespace}/sentiment") == unknown


def test_another_tenants_version_cannot_be_deployed(tenants: tuple[Tenant, Tenant]) -> None:
    _, second = tenants
    second.objects.create(sentiment.deployment(second.namespace))
    found = second.objects.wait(
        "ModelDeployment", "sentiment", lambda one: condition(one, "ModelResolved").get("status") == "False", SECONDS
    )
    assert condition(found, "ModelResolved")["reason"] == "ModelNotFound"
    assert second.pods() == []


def test_a_member_has_rights_in_the_own_namespace_alone(platform: Platform, tenants: tuple[Tenant, Tenant]) -> None:
    first, second = tenants

    def may(person: str, verb: str, kind: str, namespace: str) -> str:
        asked = ("auth", "can-i", verb, kind, "-n", namespace, "--as", person)
        return platform.node.cluster.kubectl(*asked, check=False).split()[-1]

    for verb, kind in (("create", "modeldeployments.mizzen.dev"), ("get", "modeldeployments.mizzen.dev")):
        assert may("bob", verb, kind, second.namespace) == "yes"
    for verb, kind in (
        ("get", "modeldeployments.mizzen.dev"),
        ("create", "modeldeployments.mizzen.dev"),
        ("get", "pods"),
        ("get", "pods/log"),
        ("create", "pods/exec"),
        ("get", "secrets"),
    ):
        assert may("bob", verb, kind, first.namespace) == "no", f"{verb} {kind}"


def test_policies_let_the_gateway_and_prometheus_in_and_nobody_else(tenants: tuple[Tenant, Tenant]) -> None:
    first, _ = tenants
    policies = first.objects.list("NetworkPolicy")
    [pod] = first.pods()
    meant = [each for each in policies if _selects(each, pod)]
    assert {"Ingress", "Egress"} <= {kind for each in meant for kind in each["spec"]["policyTypes"]}
    peers = [peer for each in meant for rule in each["spec"].get("ingress", []) for peer in rule["from"]]
    assert peers, "the gateway is let in"
    for peer in peers:
        namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == _FRIENDS[namespace]
    everyone = [each for each in policies if each["spec"]["podSelector"] == {}]
    assert [each["metadata"]["name"] for each in everyone] == ["mizzen-default-deny"]


def _selects(policy: Object, pod: Object) -> bool:
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return wanted.items() <= pod["metadata"]["labels"].items()
