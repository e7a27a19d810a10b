"""Where may a fetch go? Rules of policies, evaluated for addresses as a network does."""

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.kinds.model_deployment.network import network_policies
from mizzen_operator.kinds.model_deployment.standing import standing
from mizzen_operator.kinds.model_deployment.way_out import way_out
from mizzen_operator.private_stores import private_stores
from mizzen_operator.runtimes.builtin import builtin_runtimes, runtime_for
from support.deployments import deployment
from support.model_objects import model
from support.pass_in_memory import OneDeployment

ENVIRONMENT = PlanEnvironment("image:1", "http://registry", "http://operator")
ELSEWHERE = Artifact("s3://bucket/weights", format="Safetensors")
STORES = '[{"cidr": "10.20.0.0/16", "ports": [9000]}, {"namespace": "storage", "ports": [9001]}]'
GROUP = {
    "engine": {"type": "vLLM", "parallelism": {"tensor": 8, "pipeline": 2}},
    "resources": {"acceleratorsPerPod": 8},
    "multiNode": {"size": 2},
}


def reached(rules: list[dict[str, Any]], address: str, port: int = 443) -> bool:
    """Whether a rule lets a TCP packet go to an address that is nobody's pod."""
    return any(
        any(_within(address, to["ipBlock"]) for to in rule.get("to", ()) if "ipBlock" in to)
        and port in [each["port"] for each in rule.get("ports", [{"port": port}])]
        for rule in rules
    )


def _within(address: str, block: dict[str, Any]) -> bool:
    known = ipaddress.ip_address(address)
    inside = known in ipaddress.ip_network(block["cidr"])
    return inside and not any(known in ipaddress.ip_network(each) for each in block.get("except", ()))


def peers(rules: list[dict[str, Any]]) -> list[str]:
    """Names of the programs that rules lead to."""
    return [
        to["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for rule in rules
        for to in rule.get("to", ())
        if "podSelector" in to
    ]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200", "127.0.0.1",
        "169.254.169.254", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fe80::1", "::1", "64:ff9b::a9fe:a9fe",
        "64:ff9b::10.20.30.40",
    ],
)  # fmt: skip
def test_a_fetch_reaches_no_private_address(address: str) -> None:
    assert not reached(way_out(ELSEWHERE, ENVIRONMENT), address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "172.32.0.1", "100.128.0.1", "11.0.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1"]
)
def test_a_fetch_reaches_public_addresses(address: str) -> None:
    assert reached(way_out(ELSEWHERE, ENVIRONMENT), address)


def test_every_exception_lies_within_its_block_as_the_api_server_wants() -> None:
    blocks = [to["ipBlock"] for rule in way_out(ELSEWHERE, ENVIRONMENT) for to in rule.get("to", ()) if "ipBlock" in to]
    assert len(blocks) == 2
    for block in blocks:
        whole = ipaddress.ip_network(block["cidr"])
        assert {ipaddress.ip_network(one).version for one in block["except"]} == {whole.version}
        assert all(ipaddress.ip_network(one).prefixlen > whole.prefixlen for one in block["except"])


def test_a_listed_store_is_reached_on_its_ports_and_its_neighbours_are_not() -> None:
    rules = way_out(ELSEWHERE, replace(ENVIRONMENT, private_stores=private_stores(STORES)))
    assert reached(rules, "10.20.0.7", 9000)
    assert not reached(rules, "10.20.0.7", 443)
    assert not reached(rules, "10.21.0.7", 9000)
    labels = {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}
    assert rules[-1] == {"to": [{"namespaceSelector": labels}], "ports": [{"protocol": "TCP", "port": 9001}]}


@pytest.mark.parametrize(("stores", "told"), [("[]", []), (STORES, ["10.20.0.0/16"])])
def test_the_fetch_itself_is_told_of_listed_networks(stores: str, told: list[str]) -> None:
    environment = replace(ENVIRONMENT, private_stores=private_stores(stores))
    runtime = builtin_runtimes()["vllm"]
    made = desired(deployment(engine="vLLM"), runtime, ELSEWHERE, environment)
    env = made.revision.template["spec"]["initContainers"][1]["env"]
    assert [one["value"] for one in env if one["name"] == "MIZZEN_FETCH_ALLOWED_HOSTS"] == told


@pytest.mark.parametrize(("authority", "told"), [("", []), ("PEM", ["PEM"])])
def test_the_fetch_alone_is_told_whom_to_trust_for_the_registry(authority: str, told: list[str]) -> None:
    environment = replace(ENVIRONMENT, registry_ca=authority)
    made = desired(deployment(engine="vLLM"), builtin_runtimes()["vllm"], ELSEWHERE, environment)
    spec = made.revision.template["spec"]
    variables = {
        container["name"]: [one["value"] for one in container["env"] if one["name"] == "MIZZEN_REGISTRY_CA"]
        for container in (*spec["initContainers"], *spec["containers"])
    }
    assert variables.pop("fetch") == told
    assert not any(variables.values())


@pytest.mark.parametrize(("authority", "told"), [("", []), ("PEM", ["PEM"])])
def test_whoever_reports_to_the_operator_is_told_whom_to_trust_and_the_engine_is_not(
    authority: str, told: list[str]
) -> None:
    environment = replace(ENVIRONMENT, operator_ca=authority)
    artifact = Artifact("s3://bucket/weights", format="ONNX")
    made = desired(deployment(engine="Triton"), builtin_runtimes()["triton"], artifact, environment)
    spec = made.revision.template["spec"]
    variables = {
        container["name"]: [one["value"] for one in container["env"] if one["name"] == "MIZZEN_OPERATOR_CA"]
        for container in (*spec["initContainers"], *spec["containers"])
    }
    assert (variables.pop("fetch"), variables.pop("layout")) == (told, told)
    assert not any(variables.values())


def test_a_registered_version_comes_from_the_control_plane_and_nowhere_else() -> None:
    rules = way_out(Artifact("mizzen://mv_1"), replace(ENVIRONMENT, private_stores=private_stores(STORES)))
    assert peers(rules) == ["mizzen-operator", "mizzen-controlplane"]
    assert not reached(rules, "1.1.1.1")
    assert not reached(rules, "10.20.0.7", 9000)


@pytest.mark.parametrize(
    ("model_uri", "adapter_uri", "registered", "outside"),
    [
        ("mizzen://mv_1", "mizzen://mv_2", True, False),
        ("mizzen://mv_1", "s3://bucket/adapter", True, True),
        ("hf://org/repo", "mizzen://mv_2", True, True),
        ("pvc://claim/path", "pvc://claim/adapter", False, False),
    ],
)
def test_the_way_out_leads_to_what_adapters_need_too(
    model_uri: str, adapter_uri: str, registered: bool, outside: bool
) -> None:
    artifact = with_adapters(Artifact(model_uri, format="Safetensors"), [("polite", Artifact(adapter_uri))])
    rules = way_out(artifact, ENVIRONMENT)
    assert ("mizzen-controlplane" in peers(rules), reached(rules, "1.1.1.1")) == (registered, outside)
    wanted = deployment(engine="vLLM")
    revision = desired(wanted, builtin_runtimes()["vllm"], artifact, ENVIRONMENT).revision
    assert egress("sentiment-fetch", standing(wanted, revision, ENVIRONMENT)) == rules


def egress(name: str, manifests: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    found = next(one for one in manifests if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", name))
    rules: list[dict[str, Any]] = found["spec"]["egress"]
    return rules


def serving_egress(wanted: ModelDeployment) -> list[dict[str, Any]]:
    runtime = runtime_for(wanted, builtin_runtimes())
    assert runtime is not None
    rules: list[dict[str, Any]] = network_policies(wanted, runtime.spec, ELSEWHERE, ENVIRONMENT)[0]["spec"]["egress"]
    return rules


def test_pods_that_serve_reach_nothing_and_those_of_a_group_each_other_by_name() -> None:
    assert serving_egress(deployment()) == []
    names, group = serving_egress(deployment(**GROUP))
    assert {(one["protocol"], one["port"]) for one in names["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert names["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]
    assert group == {"to": [{"podSelector": {"matchLabels": {"mizzen.dev/deployment": "sentiment"}}}]}


@pytest.mark.parametrize("address", ["1.1.1.1", "10.0.0.53", "169.254.169.254", "2606:4700::1111"])
def test_the_port_of_names_leads_pods_that_serve_to_no_other_address(address: str) -> None:
    rules = serving_egress(deployment(**GROUP))
    assert all("to" in rule for rule in rules), "a rule without a destination leads everywhere"
    assert not reached(rules, address, 53)


def test_the_policy_of_a_deployment_follows_the_settings_and_its_pods_stay() -> None:
    chat = OneDeployment({**model("chat", "Triton"), "spec": model("chat", "Triton", **ONNX)["spec"]})
    chat.look_until(lambda status: any(one["type"] == "Ready" for one in status["conditions"]))
    templates = {key: one["spec"]["template"] for key, one in chat.objects.kept.items() if key[0] == "Deployment"}
    assert not reached(chat.objects.kept["NetworkPolicy", "chat-fetch"]["spec"]["egress"], "10.20.0.7", 9000)
    environment = replace(chat.hands.environment, private_stores=private_stores(STORES))
    chat.hands = replace(chat.hands, environment=environment)
    chat.look()
    assert reached(chat.objects.kept["NetworkPolicy", "chat-fetch"]["spec"]["egress"], "10.20.0.7", 9000)
    after = {key: one["spec"]["template"] for key, one in chat.objects.kept.items() if key[0] == "Deployment"}
    assert after == templates


ONNX = {"model": {"uri": "hf://org/repo@main", "format": "ONNX"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("10.20.0.0/16", "Invalid JSON"),
        ('[{"cidr": "10.20.0.0/16"}]', "0.ports: Field required"),
        ('[{"ports": [9000]}]', "a store needs cidr, namespace or both"),
        ('[{"cidr": "10.20.0.1/16", "ports": [9000]}]', "has host bits set"),
        ('[{"cidr": "0.0.0.0/0", "ports": [80]}]', "link-local"),
        ('[{"cidr": "::/0", "ports": [80]}]', "link-local"),
        ('[{"cidr": "169.254.169.254/32", "ports": [80]}]', "link-local"),
        ('[{"host": "minio", "ports": [80]}]', "0.host"),
        ('[{"namespace": "storage", "ports": [0]}]', "0.ports.0"),
        ('[{"namespace": "a/b", "ports": [1]}]', "0.namespace"),
    ],
)
def test_a_list_of_stores_that_cannot_be_is_refused_with_the_place(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        private_stores(text)
