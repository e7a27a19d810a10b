"""LoRA adapters: which revision they make, how vLLM is told of them, and what the status says of them."""

from dataclasses import replace

import pytest
from mizzen_crds.v1alpha1 import conditions
from mizzen_operator.conditions.model import adapters_loaded
from mizzen_operator.kinds.model_deployment.admission import refusals
from mizzen_operator.kinds.model_deployment.artifact import Artifact, with_adapters
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.observation import Observation, Refusal
from mizzen_operator.reconcile.registry import last_resolved
from mizzen_operator.revision import Revision
from mizzen_operator.rollout.fleet import Fleet, ObservedPod, ObservedRevision, PodFailure
from mizzen_operator.runtimes.builtin import builtin_runtimes
from mizzen_operator.status import build_status
from support.deployments import NOON, deployment

POLITE = Artifact("mizzen://mv_7", "sha256:" + "7" * 64, version=7, alias="champion", source="polite@7")
TERSE = Artifact("hf://org/terse@main", source="hf://org/terse@main")
CHAT = with_adapters(Artifact("mizzen://mv_1", "sha256:" + "1" * 64), [("polite", POLITE), ("terse", TERSE)])
WANTED = deployment(
    "chat",
    "vLLM",
    adapters=[
        {"name": "polite", "versionRef": {"model": "polite", "alias": "champion"}},
        {"name": "terse", "uri": TERSE.uri, "load": "OnDemand"},
    ],
)


def revision_of(artifact: Artifact) -> Revision:
    return desired(
        WANTED, builtin_runtimes()["vllm"], artifact, PlanEnvironment("mizzen", "http://registry", "http://operator")
    ).revision


def observed(*pods: ObservedPod, **more: object) -> Observation:
    fleet = Fleet((ObservedRevision("chat-v1", "v1", NOON, 1, pods),))
    known = {"runtime": builtin_runtimes()["vllm"], "artifact": CHAT, "revision": Revision("chat-v1", "v1", {}, {})}
    return Observation(**(known | {"fleet": fleet} | more))


def test_another_version_of_an_adapter_is_another_revision() -> None:
    newer = replace(POLITE, digest="sha256:" + "8" * 64)
    moved = with_adapters(CHAT, [("polite", newer), ("terse", TERSE)])
    assert revision_of(CHAT).hash == revision_of(CHAT).hash != revision_of(moved).hash


def test_vllm_loads_each_from_its_own_folder_and_they_are_fetched_before_the_weights() -> None:
    spec = revision_of(CHAT).template["spec"]
    flags = ["--enable-lora", "--max-loras=2", "--max-cpu-loras=2", "--lora-modules"]
    assert spec["containers"][0]["command"][-6:] == [
        *flags,
        "polite=/mizzen/adapters/0",
        "terse=/mizzen/adapters/1",
    ]
    assert [one["name"] for one in spec["initContainers"]] == [
        "attendant",
        "fetch-adapter-0",
        "fetch-adapter-1",
        "fetch",
    ]


@pytest.mark.parametrize(
    ("pod", "status", "reason", "words"),
    [
        (ObservedPod("p1", NOON, ready=True), "True", conditions.ADAPTERS_IN_PLACE, "polite, terse"),
        (ObservedPod("p1", NOON), "False", conditions.LOADING_ADAPTERS, "polite, terse"),
        (
            ObservedPod("p1", NOON, failure=PodFailure(conditions.FETCH_FAILED, "404", "fetch-adapter-1", 3, NOON)),
            "False",
            conditions.ADAPTER_FAILED,
            "terse: 404",
        ),
        (
            ObservedPod("p1", NOON, failure=PodFailure(conditions.FETCH_FAILED, "404", "fetch", 3, NOON)),
            "False",
            conditions.LOADING_ADAPTERS,
            "polite, terse",
        ),
    ],
)
def test_they_are_loaded_with_the_engine(pod: ObservedPod, status: str, reason: str, words: str) -> None:
    told = adapters_loaded(WANTED, observed(pod))
    assert (told.status, told.reason) == (status, reason)
    assert words in told.message


def test_an_adapter_is_not_called_like_the_model_itself() -> None:
    wanted = deployment("chat", "vLLM", adapters=[{"name": "chat", "uri": TERSE.uri}])
    refused = refusals(wanted, builtin_runtimes()["vllm"], CHAT, [])
    assert conditions.NAME_TAKEN in {one.reason for one in refused}
    assert any("rename the adapter" in one.message for one in refused)


def test_an_adapter_that_the_registry_does_not_know_is_named() -> None:
    refusal = Refusal(conditions.MODEL_NOT_FOUND, "spec.adapters[0].versionRef: there is no model polite.")
    told = adapters_loaded(WANTED, observed(artifact=None, revision=None, resolution_failure=refusal))
    assert told.reason == conditions.ADAPTER_FAILED
    assert told.message.startswith(refusal.message)


def test_the_status_keeps_what_they_were_resolved_to_so_that_it_stands_while_the_registry_is_away() -> None:
    status = build_status(WANTED, observed(), None, NOON)
    assert [(one.name, one.source) for one in status.adapters] == [("polite", "polite@7"), ("terse", TERSE.uri)]
    later = WANTED.model_copy(update={"status": status})
    assert build_status(later, observed(artifact=None), None, NOON).adapters == status.adapters
    reference = WANTED.spec.adapters[0].version_ref
    assert reference is not None
    assert last_resolved(status.adapters[0], reference) == POLITE
    assert last_resolved(status.adapters[0], reference.model_copy(update={"alias": "challenger"})) is None
