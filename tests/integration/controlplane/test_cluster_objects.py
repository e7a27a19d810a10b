"""Routes of objects, on a control plane whose database keeps them."""

import httpx
from support.controlplane import ControlPlane
from support.object_routes import *  # noqa: F403 - the suite
from support.object_routes import OBJECTS, _manifest, _put


def test_a_version_that_the_log_does_not_hold_is_gone(runner: httpx.Client) -> None:
    gone = runner.get(f"{OBJECTS}:watch", params={"kinds": "ModelDeployment", "after": 10**12})
    assert (gone.status_code, gone.json()["code"]) == (410, "resource_version_too_old")


def test_equal_occurrences_are_counted(runner: httpx.Client, controlplane: ControlPlane, project: str) -> None:
    _put(runner, f"{OBJECTS}/ModelDeployment/{project}/m", _manifest())
    body = {"namespace": project, "name": "m", "type": "Warning", "reason": "CrashLooping", "message": "exit code 1"}
    for minute in range(3):
        sent = runner.post("/internal/v1/occurrences", json=body | {"time": f"2026-03-01T12:0{minute}:00Z"})
        assert sent.status_code == 204
    runner.post("/internal/v1/occurrences", json=body | {"reason": "Pulled", "time": "2026-03-01T12:09:00Z"})
    with controlplane.client() as admin:
        events = admin.get(f"/api/v1/projects/{project}/deployments/m/events").json()["items"]
    assert [(event["reason"], event["count"]) for event in events] == [("Pulled", 1), ("CrashLooping", 3)]
    assert events[1]["time"].startswith("2026-03-01T12:02")
