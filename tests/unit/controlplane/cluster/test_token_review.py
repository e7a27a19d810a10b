"""Whom does the control plane take a service account's token for? The API server's answers are given, not asked."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from mizzen_controlplane.cluster.token_review import HOLDS_SECONDS, TokenReviewer
from mizzen_controlplane.kit.problem import Unavailable
from mizzen_controlplane.kit.subject import Permission
from mizzen_kube.errors import UnavailableError

GATEWAY = "system:serviceaccount:mizzen-system:mizzen-gateway"
TOKEN = "head.body.signature"


class Answers:
    """An API server that always gives one answer."""

    def __init__(self, status: dict[str, Any] | None) -> None:
        self.status = status
        self.asked: list[dict[str, Any]] = []

    async def review(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(manifest)
        if self.status is None:
            raise UnavailableError("gone")
        return {"status": self.status}


def vouched(name: str, audiences: Sequence[str], pod: str = "") -> dict[str, Any]:
    extra = {"authentication.kubernetes.io/pod-uid": [pod]} if pod else {}
    return {"authenticated": True, "audiences": list(audiences), "user": {"username": name, "extra": extra}}


def reviewer(answers: Answers, now: Callable[[], float] = lambda: 0.0) -> TokenReviewer:
    return TokenReviewer(answers, {GATEWAY: "gateway"}, now)


async def test_the_gateways_account_opens_what_a_gateway_needs() -> None:
    subject = await reviewer(Answers(vouched(GATEWAY, ["mizzen-controlplane"]))).subject_of(TOKEN)
    assert subject is not None
    assert (subject.name, subject.namespace) == ("gateway", None)
    assert Permission.USAGE_WRITE in subject.permissions
    assert Permission.MANAGE not in subject.permissions


async def test_a_pods_registry_token_is_confined_to_its_namespace() -> None:
    account = "system:serviceaccount:team-a:default"
    subject = await reviewer(Answers(vouched(account, ["mizzen-registry"], pod="uid-1"))).subject_of(TOKEN)
    assert subject is not None
    assert subject.namespace == "team-a"
    assert subject.permissions == {Permission.ARTIFACTS_DESCRIBE, Permission.ARTIFACTS_READ}


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False},
        {},
        vouched(GATEWAY, ["https://kubernetes.default.svc"]),
        vouched("system:serviceaccount:team-a:mizzen-gateway", ["mizzen-controlplane"]),
        vouched("system:serviceaccount:team-a:default", ["mizzen-registry"]),
        vouched("somebody", ["mizzen-registry"], pod="uid-1"),
    ],
    ids=["refused", "no answer", "other audience", "account of a tenant", "not of a pod", "a person"],
)
async def test_nobody_else_is_known(status: dict[str, Any]) -> None:
    assert await reviewer(Answers(status)).subject_of(TOKEN) is None


async def test_what_is_no_service_accounts_token_is_not_asked_about() -> None:
    answers = Answers(vouched(GATEWAY, ["mizzen-controlplane"]))
    assert await reviewer(answers).subject_of("mzt_gateway_" + "a" * 43) is None
    assert await reviewer(answers).subject_of("a.b." + "c" * 20_000) is None
    assert answers.asked == []


async def test_an_answer_holds_for_a_minute_and_a_refusal_not_at_all() -> None:
    answers = Answers(vouched(GATEWAY, ["mizzen-controlplane"]))
    now = 0.0
    known = reviewer(answers, lambda: now)
    await known.subject_of(TOKEN)
    now = HOLDS_SECONDS - 1
    assert await known.subject_of(TOKEN) is not None
    assert len(answers.asked) == 1
    now, answers.status = HOLDS_SECONDS + 1, {"authenticated": False}
    assert await known.subject_of(TOKEN) is None
    assert await known.subject_of(TOKEN) is None
    assert len(answers.asked) == 3


async def test_an_api_server_that_is_away_is_no_refusal() -> None:
    with pytest.raises(Unavailable, match="API server"):
        await reviewer(Answers(None)).subject_of(TOKEN)
