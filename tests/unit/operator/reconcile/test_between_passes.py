"""What happens between two passes counts for the second one."""

from typing import Any

from support.model_objects import model
from support.pass_in_memory import OneDeployment

CANARY = {
    "strategy": "Canary",
    "canary": {"steps": [{"trafficPercent": 25}], "analysis": {"minRequests": 100}},
}


def spec(version: str, **more: Any) -> dict[str, Any]:
    """Four replicas; another version is another revision."""
    whole: dict[str, Any] = model("chat", replicas=4, podOverrides={"labels": {"version": version}}, **more)["spec"]
    return whole


def rolled_out(status: dict[str, Any]) -> bool:
    return any(one["type"] == "UpToDate" and one["status"] == "True" for one in status["conditions"])


def test_requests_that_come_right_after_a_canary_step_began_count_for_it() -> None:
    chat = OneDeployment({**model("chat"), "spec": spec("1", rollout=CANARY)})
    chat.look_until(rolled_out)
    chat.change(spec("2", rollout=CANARY))
    chat.look_until(lambda status: status["rollout"].get("stepStartedAt"))
    new = next(one["hash"] for one in chat.status["revisions"] if one["trafficPercent"] == 25)
    assert "has seen 0 of 100" in chat.status["rollout"]["hold"]["reason"]
    chat.saw(new, 100)
    chat.look()
    assert chat.status["rollout"]["step"] == 1, chat.status["rollout"]
