"""How often is the API server asked who a token belongs to? Seldom, whatever callers send."""

import asyncio
from typing import Any, cast

import pytest
from mizzen_kube.api import Api
from mizzen_kube.errors import ThrottledError, UnavailableError
from mizzen_operator.serve import identities
from mizzen_operator.serve.identities import MOST_QUESTIONS, REVIEWS_AT_ONCE, Identities, UnknownCallerError

GOOD = "issued-"
"""Tokens that begin so are a service account's."""


class Reviews:
    """An API server that answers reviews once `open` is set, and counts them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.open, self.begun, self.crowded = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.open.set()
        self.away = False

    async def review(self, manifest: dict[str, Any]) -> dict[str, Any]:
        token, audiences = manifest["spec"]["token"], manifest["spec"]["audiences"]
        self.asked.append(token)
        self.at_once += 1
        self.begun.set()
        if self.at_once == REVIEWS_AT_ONCE:
            self.crowded.set()
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.away:
            raise UnavailableError("no answer")
        user = {"username": f"system:serviceaccount:team:{token}"}
        return {"status": {"authenticated": token.startswith(GOOD), "audiences": audiences, "user": user}}


def asking(reviews: Reviews) -> Identities:
    return Identities(cast(Api, reviews))


async def accepted(who: Identities, token: str) -> bool:
    try:
        await who.caller(token, "here")
    except UnknownCallerError:
        return False
    return True


async def test_a_token_is_reviewed_once_whether_it_is_somebodys_or_nobodys() -> None:
    reviews = Reviews()
    who = asking(reviews)
    told = [await accepted(who, token) for token in (f"{GOOD}a", "made-up") for _ in range(50)]
    assert told == [True] * 50 + [False] * 50
    assert reviews.asked == [f"{GOOD}a", "made-up"]


async def test_a_token_that_many_send_at_once_is_reviewed_once() -> None:
    reviews = Reviews()
    who = asking(reviews)
    reviews.open.clear()
    calls = [asyncio.create_task(accepted(who, f"{GOOD}a")) for _ in range(100)]
    await reviews.begun.wait()
    reviews.open.set()
    assert all(await asyncio.gather(*calls))
    assert len(reviews.asked) == 1


async def test_made_up_tokens_push_no_known_caller_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "MOST_REFUSED", 10)
    monkeypatch.setattr(identities, "MOST_KNOWN", 10)
    reviews = Reviews()
    who = asking(reviews)
    assert await accepted(who, f"{GOOD}a")
    for number in range(100):
        assert not await accepted(who, f"made-up-{number}")
    assert await accepted(who, f"{GOOD}a")
    assert reviews.asked.count(f"{GOOD}a") == 1
    assert len(who._refused) == 10


async def test_few_reviews_are_under_way_at_once_and_few_callers_wait() -> None:
    reviews = Reviews()
    who = asking(reviews)
    reviews.open.clear()
    calls = [asyncio.create_task(who.caller(f"made-up-{number}", "here")) for number in range(3 * MOST_QUESTIONS)]
    await reviews.crowded.wait()
    reviews.open.set()
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, ThrottledError) for one in told) == 2 * MOST_QUESTIONS
    assert sum(isinstance(one, UnknownCallerError) for one in told) == MOST_QUESTIONS
    assert reviews.most_at_once == REVIEWS_AT_ONCE
    assert await accepted(who, f"{GOOD}a")


async def test_what_a_server_that_is_away_did_not_answer_is_asked_again() -> None:
    reviews = Reviews()
    who = asking(reviews)
    reviews.away = True
    with pytest.raises(UnavailableError):
        await who.caller(f"{GOOD}a", "here")
    reviews.away = False
    assert await accepted(who, f"{GOOD}a")


async def test_a_caller_that_goes_away_takes_the_answer_from_nobody() -> None:
    reviews = Reviews()
    who = asking(reviews)
    reviews.open.clear()
    first, second = (asyncio.create_task(accepted(who, f"{GOOD}a")) for _ in range(2))
    await reviews.begun.wait()
    first.cancel()
    reviews.open.set()
    assert await second
    assert len(reviews.asked) == 1
