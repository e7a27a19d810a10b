"""Does the status say that nobody knows how far a start is?"""

from typing import Any

import pytest
from mizzen_crds.v1alpha1.model_deployment.status import StartupPhase
from mizzen_operator.conditions.model import HEARD_WITHIN_SECONDS, model_cached
from mizzen_operator.observation import Observation
from mizzen_operator.revision import Revision
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedPod, ObservedRevision
from mizzen_operator.rollout.plan import plan_rollout
from support.deployments import NOON, deployment


def message(phase: str, seconds: int, done: int | None, **cache: Any) -> str:
    """What ModelCached says while a pod is in that phase of its start."""
    pod = ObservedPod("p1", NOON, phases=(StartupPhase(name=phase, seconds=seconds, bytes_done=done),))
    fleet = Fleet((ObservedRevision("sentiment-v1", "v1", NOON, 1, (pod,)),))
    observation = Observation(revision=Revision("sentiment-v1", "v1", {}, {}), fleet=fleet)
    wanted = deployment(model={"versionRef": {"model": "sentiment", "version": 1}, "cache": cache})
    said = model_cached(wanted, observation, plan_rollout(wanted, "v1", fleet, Capacity(), NOON))
    assert (said.status, said.reason) == ("False", "Fetching")
    return said.message


@pytest.mark.parametrize("phase", ["fetch", "layout"])
def test_a_start_that_nothing_is_heard_of_is_told_as_such(phase: str) -> None:
    assert f"p1 reports no progress of its {phase}" in message(phase, HEARD_WITHIN_SECONDS, None)


@pytest.mark.parametrize(("stall", "told"), [(900, 14_400), (20_000, 20_000)])
def test_the_end_of_silence_is_told_as_it_will_come(stall: int, told: int) -> None:
    assert f"replaced after {told} s of silence" in message("fetch", HEARD_WITHIN_SECONDS, None, stallSeconds=stall)


def test_a_start_that_tells_or_has_just_begun_is_not() -> None:
    told = [message("fetch", 10 * HEARD_WITHIN_SECONDS, 0), message("fetch", HEARD_WITHIN_SECONDS - 1, None)]
    assert not any("reports no progress" in one for one in told)
