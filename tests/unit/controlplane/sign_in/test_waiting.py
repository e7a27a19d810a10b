"""How long one waits after failed attempts, and when a session is over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.sign_in.models import SignInSession
from mizzen_controlplane.sign_in.sessions import is_over
from mizzen_controlplane.sign_in.throttle import ACCOUNT, ADDRESS, PAIR, Allowance, Tries, wait_after

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = Settings("", Path(), Path(), session_idle_seconds=60, session_seconds=600)


def test_the_wait_doubles_after_the_free_attempts_and_has_an_end() -> None:
    waits = [wait_after(failures, PAIR).total_seconds() for failures in (0, 4, 5, 6, 7, 9, 10, 10**6)]
    assert waits == [0, 0, 10, 20, 40, 160, 300, 300]


@pytest.mark.parametrize("allowance", [PAIR, ADDRESS, ACCOUNT])
def test_nobody_waits_longer_than_five_minutes(allowance: Allowance) -> None:
    assert wait_after(10**9, allowance) <= timedelta(minutes=5)


def test_who_entered_from_an_address_does_not_wait_for_what_others_do_to_the_account() -> None:
    tries = Tries(b"key", "admin", "192.0.2.1")
    assert ACCOUNT in tries.counted({}).values()
    entered = {tries.entered: None}
    assert ACCOUNT not in tries.counted(entered).values()  # type: ignore[arg-type]  # only the key is looked at


@pytest.mark.parametrize(("age", "unused", "over"), [(0, 0, False), (599, 59, False), (599, 60, True), (600, 1, True)])
def test_a_session_is_over_when_it_is_old_or_was_not_used(age: int, unused: int, over: bool) -> None:
    created = NOW - timedelta(seconds=age)
    found = SignInSession(
        id="ses_1", digest="", person_id="per_1", kind="BROWSER", provider="local", created_at=created,
        used_at=NOW - timedelta(seconds=unused), expires_at=created + timedelta(seconds=SETTINGS.session_seconds),
    )  # fmt: skip
    assert is_over(found, SETTINGS, NOW) is over
