"""The clock is set in mid-rollout: what waits for a time does not wait for the time that was lost."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, Objects
from support.model_objects import model
from support.running_operator import operator
from support.troubles import KIND, LONG, marked, pod_versions, rolled_out, unhurt

PROGRAM = Path(__file__).parents[2] / "support/cluster/operator_with_clock.py"
PAUSE_SECONDS = 5
HOUR = 3600


def pauses_at_half() -> Object:
    """A rollout that stands at half of the requests for some seconds."""
    step = {"trafficPercent": 50, "pauseSeconds": PAUSE_SECONDS}
    return {"strategy": "Canary", "canary": {"steps": [step], "analysis": {"minRequests": 0}}}


def holds_at(gate: str) -> Callable[[Object], bool]:
    return lambda one: (one["status"].get("rollout", {}).get("hold") or {}).get("gate") == gate


@pytest.mark.parametrize("hours", [-1, 1], ids=["an hour back", "an hour ahead"])
def test_a_clock_that_is_set_while_a_canary_pauses_does_not_hold_it_up(
    cluster: Cluster, objects: Objects, tmp_path: Path, hours: int
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    with operator(cluster, program=(str(PROGRAM), str(clock))) as running, unhurt(running):
        objects.create(model("rolling", replicas=2, podOverrides=marked("1"), rollout=pauses_at_half()))
        rolled_out(objects, "rolling")
        objects.merge(KIND, "rolling", {"spec": {"podOverrides": marked("2")}})
        objects.wait(KIND, "rolling", holds_at("CanaryStep"), LONG)
        clock.write_text(str(hours * HOUR))
        rolled_out(objects, "rolling")
        assert pod_versions(objects, "rolling") == {"2"}
    cluster.objects.delete("Lease", "mizzen-operator", "mizzen-system")
