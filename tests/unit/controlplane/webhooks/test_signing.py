"""Signatures are those of Standard Webhooks, and waits grow."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from mizzen_controlplane.webhooks.delivering import LONGEST_WAIT, MOST_ATTEMPTS, wait_after
from mizzen_controlplane.webhooks.event_types import asks_for, meaningless
from mizzen_controlplane.webhooks.signing import secret_bytes, secret_text, signed_headers


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the Standard Webhooks libraries: secret, id, timestamp, body and what they make of them.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(
        [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_that_is_valid_signs_and_the_newest_comes_first() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    new, old = secret_bytes(b"pepper", "whk_1", "new"), secret_bytes(b"pepper", "whk_1", "old")
    both = signed_headers([new, old], "evt_1", at, b"{}")["webhook-signature"].split(" ")
    assert both == [signed_headers([one], "evt_1", at, b"{}")["webhook-signature"] for one in (new, old)]


def test_a_secret_depends_on_pepper_webhook_and_salt() -> None:
    made = {secret_bytes(p, w, s) for p in (b"p", b"q") for w in ("whk_1", "whk_2") for s in ("a", "b")}
    assert len(made) == 8
    assert secret_text(bytes(32)) == "whsec_" + base64.b64encode(bytes(32)).decode()


def test_waits_grow_to_a_bound_and_all_attempts_take_more_than_a_day() -> None:
    waits = [wait_after(attempt, 0.5) for attempt in range(1, MOST_ATTEMPTS)]
    assert waits == sorted(waits)
    assert wait_after(1, 0.0) == timedelta(seconds=5)
    assert wait_after(1, 1.0) == timedelta(seconds=10)
    assert wait_after(10_000, 1.0) == LONGEST_WAIT
    assert timedelta(days=1) < sum(waits, timedelta()) < timedelta(days=2)


@pytest.mark.parametrize(
    ("pattern", "asked"), [("*", True), ("budget.*", True), ("budget.threshold", True), ("webhook.test", False)]
)
def test_a_pattern_asks_for_what_it_means(pattern: str, asked: bool) -> None:
    assert asks_for([pattern], "budget.threshold") is asked


def test_a_pattern_that_means_nothing_is_found() -> None:
    assert meaningless(["budget.*", "budgets.*"]) == "budgets.*"
    assert meaningless(["*"]) == ""
