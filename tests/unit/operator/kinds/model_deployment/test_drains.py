"""How many replicas may a node drain take? As many as the rollout's minAvailable leaves, and always one."""

import pytest
from mizzen_operator.kinds.model_deployment.network import disruption_budget
from support.deployments import deployment

GROUP = {
    "engine": {"type": "vLLM", "parallelism": {"tensor": 8, "pipeline": 2}},
    "resources": {"acceleratorsPerPod": 8},
    "multiNode": {"size": 2},
}
AUTOSCALED = {"autoscaling": {"minReplicas": 1, "maxReplicas": 2}}


@pytest.mark.parametrize(
    ("replicas", "least", "more", "bound"),
    [
        (4, None, {}, {"maxUnavailable": 1}),
        (4, 3, {}, {"minAvailable": 3}),
        (4, "50%", {}, {"minAvailable": "50%"}),
        (1, 1, {}, {"maxUnavailable": 1}),
        (4, 4, {}, {"maxUnavailable": 1}),
        (2, 3, {}, {"maxUnavailable": 1}),
        (3, "75%", {}, {"maxUnavailable": 1}),  # rounded up: all three
        (2, "100%", {}, {"maxUnavailable": 1}),
        (4, 2, AUTOSCALED, {"maxUnavailable": 1}),  # the bounds make two of the four
        (3, 1, GROUP, {"maxUnavailable": 2}),
        (3, 3, GROUP, {"maxUnavailable": 1}),
    ],
)
def test_a_drain_may_always_take_one(
    replicas: int, least: object, more: dict[str, object], bound: dict[str, object]
) -> None:
    rollout = {} if least is None else {"minAvailable": least}
    spec = disruption_budget(deployment(replicas=replicas, rollout=rollout, **more))["spec"]
    assert {name: spec[name] for name in ("minAvailable", "maxUnavailable") if name in spec} == bound
