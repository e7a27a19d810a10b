"""In which queue of Kueue do pods wait? In their project's, unless the spec names another; a group as one."""

from dataclasses import replace
from typing import Any

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.desired import Desired, desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.runtimes.builtin import builtin_runtimes
from support.deployments import deployment

QUEUE = "kueue.x-k8s.io/queue-name"
BOUNDLESS = PlanEnvironment("image:1", "http://registry", "http://operator")
QUEUED = replace(BOUNDLESS, queue="line")
ARTIFACT = Artifact("mizzen://mv_1", "sha256:" + "a" * 64, "ONNX", 1000, 1)
GROUP = {"engine": {"type": "vLLM", "parallelism": {"pipeline": 2}}, "multiNode": {"size": 2}}
TWO_PODS: dict[str, Any] = GROUP | {"resources": {"acceleratorsPerPod": 1}}


def made(environment: PlanEnvironment, runtime: str = "triton", **spec: Any) -> Desired:
    return desired(deployment(**spec), builtin_runtimes()[runtime], ARTIFACT, environment)


def queue_of_pods(one: Desired) -> str | None:
    found: str | None = one.revision.template["metadata"]["labels"].get(QUEUE)
    return found


def test_pods_wait_in_the_queue_of_their_project() -> None:
    assert queue_of_pods(made(QUEUED)) == "line"
    assert queue_of_pods(made(BOUNDLESS)) is None


def test_a_queue_that_the_spec_names_wins() -> None:
    assert queue_of_pods(made(QUEUED, placement={"queueName": "mine"})) == "mine"


def test_a_queue_that_a_project_gets_later_rolls_no_pod() -> None:
    before = made(BOUNDLESS)
    after = desired(deployment(), builtin_runtimes()["triton"], ARTIFACT, QUEUED, frozen=before.revision)
    assert after.revision == before.revision
    assert made(QUEUED).revision.hash == before.revision.hash


def test_a_group_is_admitted_as_one_because_its_set_names_the_queue() -> None:
    every = {one["kind"]: one for one in made(QUEUED, "vllm", **TWO_PODS).manifests}
    groups = every["LeaderWorkerSet"]
    assert groups["metadata"]["labels"][QUEUE] == "line"
    for part in ("leaderTemplate", "workerTemplate"):
        assert groups["spec"]["leaderWorkerTemplate"][part]["metadata"]["labels"][QUEUE] == "line"


def test_groups_without_a_queue_name_none() -> None:
    every = {one["kind"]: one for one in made(BOUNDLESS, "vllm", **TWO_PODS).manifests}
    assert QUEUE not in every["LeaderWorkerSet"]["metadata"]["labels"]
