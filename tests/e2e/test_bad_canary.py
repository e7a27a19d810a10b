"""A canary that is ready and answers with errors: what the gateways count takes it back, and callers of the rest go on.

The counts are the gateways' own, of real requests to a real Triton: nothing is told to the operator by this test.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster.cluster import condition
from support.cluster.objects import Object, wait_until
from support.rollouts import hash_of
from support.story import sentiment
from support.story.broken_sentiment import write_broken
from support.story.caller import Load
from support.story.mizzen_on_node import SECONDS, Platform, Tenant

CANARY = {
    "strategy": "Canary",
    "canary": {
        "steps": [{"trafficPercent": 25, "pauseSeconds": 3600}],
        "analysis": {"minRequests": 20, "maxErrorPercent": 5},
    },
}


@pytest.fixture
def cautious(platform: Platform, tmp_path: Path) -> Iterator[Tenant]:
    """A deployment of version 1 that rolls out by canary; version 2 is broken."""
    with platform.tenant("cautious", versions=1) as tenant:
        tenant.mizzen("models", "push", "sentiment", write_broken(tmp_path / "broken"))
        tenant.objects.create(sentiment.deployment(tenant.namespace, rollout=CANARY))
        tenant.wait_ready()
        yield tenant


def taken_back(deployment: Object) -> bool:
    """The analysis failed, the old revision serves, and nothing but a change of the spec will help."""
    said = condition(deployment, "UpToDate")
    return (
        said.get("reason") == "AnalysisFailed"
        and condition(deployment, "Ready").get("status") == "True"
        and condition(deployment, "Stalled").get("status") == "True"
    )


def failures_until_they_end(load: Load) -> int:
    """How many requests failed. Those that were under way to the canary may still fail, and then none of 200."""
    for _ in range(5):
        failed = len(load.failures)
        load.wait_answers(200, 1)
        if len(load.failures) == failed:
            return failed
    raise AssertionError(f"requests fail after the canary was taken back: {load}")


def test_a_canary_that_fails_requests_is_taken_back_by_what_the_gateways_saw(
    platform: Platform, cautious: Tenant
) -> None:
    load = Load(platform.gateway, cautious.key)
    with load.running():
        cautious.objects.merge("ModelDeployment", "sentiment", {"spec": {"model": {"versionRef": {"version": 2}}}})
        found = cautious.objects.wait("ModelDeployment", "sentiment", taken_back, SECONDS)
        failed = failures_until_they_end(load)
    platform.told.append(f"a bad canary: {failed} requests failed until it was taken back; {load.answers[1]} answered")
    assert failed, str(load)
    assert all(each.refused for each in load.failures), str(load)
    serving = hash_of(found, "Serving")

    def alone() -> bool:
        return {pod["metadata"]["labels"]["mizzen.dev/revision"] for pod in cautious.pods()} == {serving}

    wait_until(alone, SECONDS, lambda: f"pods of {serving} alone: {cautious.pods()}")
