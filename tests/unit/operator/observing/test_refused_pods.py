"""Pods that were never made: told as needing another spec only where nothing else can help."""

from typing import Any

import pytest
from mizzen_crds.v1alpha1 import conditions
from mizzen_operator.observing.failures import refusal_reason
from mizzen_operator.observing.fleet_view import refusal_of, refused_pods
from mizzen_operator.rollout.fleet import PodFailure

FORBIDDEN = 'pods "chat-1-" is forbidden: '
PASSING = [
    FORBIDDEN + 'error looking up service account team/default: serviceaccount "default" not found',
    FORBIDDEN + "no PriorityClass with name urgent was found",
    'admission webhook "validate.policy.example" denied the request: spec.containers[0].image is invalid: no signature',
    'Internal error occurred: failed calling webhook "x.example": context deadline exceeded',
    "context deadline exceeded",
    "failed to reserve container name: name is reserved",
    'configmap "settings" not found',
    "",
]
CERTAIN = [
    FORBIDDEN + 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
    'Pod "chat-1-" is invalid: spec.tolerations[0].operator: Unsupported value: "Perhaps"',
    "container has runAsNonRoot and image will run as root",
]
QUOTA = FORBIDDEN + "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1"


def workload(words: str, replicas: int = 1) -> dict[str, Any]:
    failing = {"type": "ReplicaFailure", "status": "True", "message": words}
    return {"spec": {"replicas": replicas}, "status": {"conditions": [failing]}}


@pytest.mark.parametrize("words", PASSING)
def test_what_may_pass_by_itself_does_not_ask_for_another_spec(words: str) -> None:
    (found,) = refused_pods({"v1": workload(words)})
    assert found.reason == refusal_reason(words) == conditions.POD_NOT_CREATED
    assert not conditions.REASONS[found.reason].needs_spec_change


@pytest.mark.parametrize("words", CERTAIN)
def test_a_template_that_is_refused_again_and_again_does(words: str) -> None:
    (found,) = refused_pods({"v1": workload(words)})
    assert (found.reason, found.message) == (conditions.POD_REFUSED, words)
    assert conditions.REASONS[found.reason].needs_spec_change


def test_a_quota_is_told_as_one() -> None:
    (found,) = refused_pods({"v1": workload(QUOTA)})
    assert found.reason == conditions.RESOURCE_QUOTA_EXCEEDED
    assert refusal_of(workload(QUOTA)) == PodFailure(conditions.RESOURCE_QUOTA_EXCEEDED, QUOTA)
    assert refusal_of(None) is None
    assert refused_pods({"v1": workload(QUOTA, replicas=0)}) == ()
