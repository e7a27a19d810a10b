"""Git is the truth: a commit rolls the model out, drift is reverted, scaling is left alone, what goes is pruned."""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Object, wait_until
from support.story import sentiment
from support.story.caller import ask
from support.story.gitops import Agent, Repository, agent, managers
from support.story.mizzen_on_node import SECONDS, Platform, Tenant

NAMESPACE = "from-git"


@pytest.fixture(scope="module")
def tenant(platform_of_module: Platform) -> Iterator[Tenant]:
    with platform_of_module.tenant(NAMESPACE) as tenant:
        yield tenant


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    found = Repository(tmp_path_factory.mktemp("git"))
    found.prepare()
    found.commit(sentiment=sentiment.deployment(NAMESPACE, 1), chat=_chat())
    return found


@pytest.fixture(scope="module")
def argo(platform_of_module: Platform, tenant: Tenant, repository: Repository) -> Iterator[Agent]:
    with agent(platform_of_module.node, repository, NAMESPACE) as running:
        tenant.wait_ready()
        tenant.objects.wait("ModelDeployment", "chat", lambda found: found["status"].get("readyReplicas"), SECONDS)
        yield running


def _chat() -> Object:
    made = deepcopy(sentiment.deployment(NAMESPACE))
    made["metadata"]["name"] = "chat"
    made["spec"] |= {"model": {"uri": "hf://simulated/chat"}, "engine": {"type": "Simulated"}}
    return made


def _version(tenant: Tenant) -> int:
    found = tenant.objects.get("ModelDeployment", "sentiment")
    assert found
    return int(found["spec"]["model"]["versionRef"]["version"])


def test_a_commit_rolls_the_model_out(platform: Platform, tenant: Tenant, repository: Repository, argo: Agent) -> None:
    assert ask(platform.gateway, tenant.key) == 1
    repository.commit(sentiment=sentiment.deployment(NAMESPACE, 2))
    wait_until(lambda: _version(tenant) == 2, SECONDS, argo.process.last_lines)
    tenant.wait_ready()
    wait_until(lambda: ask(platform.gateway, tenant.key) == 2, SECONDS, "the second version answers")


def test_a_commit_that_pauses_the_rollout_holds_it(platform: Platform, tenant: Tenant, repository: Repository) -> None:
    there = _version(tenant)
    repository.commit(sentiment=sentiment.deployment(NAMESPACE, 3 - there, rollout={"mode": "Paused"}))
    tenant.objects.wait(
        "ModelDeployment",
        "sentiment",
        lambda found: condition(found, "UpToDate").get("reason") == "Paused" and condition(found, "Ready"),
        SECONDS,
    )
    assert ask(platform.gateway, tenant.key) == there
    repository.commit(sentiment=sentiment.deployment(NAMESPACE, there))
    wait_until(lambda: _version(tenant) == there, SECONDS, "Git's version")
    tenant.wait_ready()


def test_drift_is_reverted(tenant: Tenant, argo: Agent) -> None:
    there = _version(tenant)
    by_hand = {"spec": {"model": {"versionRef": {"version": 3 - there}}}}
    tenant.objects.merge("ModelDeployment", "sentiment", by_hand)
    wait_until(lambda: _version(tenant) == there, SECONDS, argo.process.last_lines)
    tenant.wait_ready()


def test_replicas_that_git_does_not_name_are_not_fought_over(platform: Platform, tenant: Tenant, argo: Agent) -> None:
    scale = ("scale", "modeldeployments.mizzen.dev/sentiment", "-n", NAMESPACE, "--replicas=2")
    platform.node.cluster.kubectl(*scale)
    scaled = tenant.wait_ready()
    assert scaled["status"]["readyReplicas"] == 2
    pods = {pod["metadata"]["uid"] for pod in tenant.pods()}
    argo.wait_syncs(3)
    now = tenant.wait_ready()
    assert now["metadata"]["generation"] == scaled["metadata"]["generation"], managers(now)
    assert {pod["metadata"]["uid"] for pod in tenant.pods()} == pods
    platform.node.cluster.kubectl(*scale[:-1], "--replicas=1")
    tenant.wait_ready()


def test_what_is_removed_from_git_goes_with_all_that_was_made_of_it(
    tenant: Tenant, repository: Repository, argo: Agent
) -> None:
    repository.commit(chat=None)
    tenant.objects.wait_gone("ModelDeployment", "chat", SECONDS)
    wait_until(
        lambda: not tenant.objects.list("Pod", labels="mizzen.dev/deployment=chat"), SECONDS, "its pods go as well"
    )
    tenant.wait_ready()
