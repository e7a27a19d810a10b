"""Which pods belong to a deployment? Those that its own workloads made; a label is not enough."""

from datetime import timedelta
from typing import Any

import pytest
from mizzen_operator.observing.pod_view import PodView, pod_view
from mizzen_operator.reconcile.seen import seen
from support.deployments import NOON, deployment

MADE = deployment(metadata={"creationTimestamp": NOON})


def labelled(
    kind: str = "ReplicaSet",
    owner: str = "sentiment-abc-6d8f",
    *,
    after: float = 60,
    marks: dict[str, str] | None = None,
    controller: bool = True,
    deployment_name: str = "sentiment",
) -> PodView:
    """A pod with the labels of revision abc."""
    own = {"mizzen.dev/deployment": deployment_name, "mizzen.dev/revision": "abc", "pod-template-hash": "6d8f"}
    reference = {"kind": kind, "name": owner, "uid": "u", "controller": controller}
    metadata: dict[str, Any] = {"name": "p", "namespace": "default", "uid": "u", "labels": own | (marks or {})}
    metadata["creationTimestamp"] = (NOON + timedelta(seconds=after)).isoformat()
    metadata["ownerReferences"] = [reference] if kind else []
    return pod_view({"metadata": metadata, "spec": {"nodeName": "a"}, "status": {}})


def is_ours(pod: PodView) -> bool:
    return seen(MADE, [], [pod], None).pods == (pod,)


GROUP = {"leaderworkerset.sigs.k8s.io/name": "sentiment-abc", "leaderworkerset.sigs.k8s.io/group-index": "3"}


@pytest.mark.parametrize(
    "pod",
    [
        labelled(),
        labelled("StatefulSet", "sentiment-abc", marks=GROUP),
        labelled("StatefulSet", "sentiment-abc-3", marks=GROUP),
        labelled(after=-2),
    ],
    ids=["of a ReplicaSet", "leader of a group", "another of a group", "dated by another API server"],
)
def test_a_pod_that_the_revisions_workload_made_is_ours(pod: PodView) -> None:
    assert is_ours(pod)


@pytest.mark.parametrize(
    "pod",
    [
        labelled(""),
        labelled(owner="someone-elses-6d8f"),
        labelled(owner="sentiment-abc-7777"),
        labelled(owner="sentiment-abc-6d8f", marks={"pod-template-hash": ""}),
        labelled(controller=False),
        labelled("Job", "sentiment-abc-6d8f"),
        labelled("StatefulSet", "sentiment-abc"),
        labelled("StatefulSet", "sentiment-abc-4", marks=GROUP),
        labelled(owner="sentiment-other-6d8f"),
        labelled(after=-3600),
    ],
    ids=[
        "made by hand",
        "of another Deployment",
        "of a ReplicaSet that only has the name",
        "without a template's hash",
        "whose owner does not control it",
        "of a Job",
        "of a StatefulSet without groups",
        "of a group that it is not in",
        "of another revision",
        "of a former object of this name",
    ],
)
def test_a_pod_with_our_labels_that_something_else_made_is_not_ours(pod: PodView) -> None:
    assert not is_ours(pod)


def test_the_name_of_a_workload_is_kept_once_for_all_its_pods() -> None:
    one, other = labelled(), labelled()
    assert one.workload == "sentiment-abc"
    assert one.workload is other.workload
