"""An attempt to sign in is finished with its own state, at its own provider, and in time."""

import pytest
from mizzen_controlplane.sign_in.openid.attempts import LASTS_SECONDS, Attempt, cookie_of, opened

KEY = b"k" * 32
NOW = 1_000_000.0


@pytest.fixture
def attempt() -> Attempt:
    return Attempt.begun("company", "/models", NOW)


def test_its_own_state_opens_it(attempt: Attempt) -> None:
    assert opened(KEY, attempt.sealed(KEY), "company", attempt.state, NOW + 1) == attempt


def test_a_state_that_only_names_the_same_cookie_does_not(attempt: Attempt) -> None:
    alike = attempt.state[:-1] + ("a" if attempt.state[-1] != "a" else "b")
    assert cookie_of(alike) == cookie_of(attempt.state)
    assert opened(KEY, attempt.sealed(KEY), "company", alike, NOW + 1) is None


def test_another_provider_or_key_or_time_does_not(attempt: Attempt) -> None:
    sealed = attempt.sealed(KEY)
    assert opened(KEY, sealed, "other", attempt.state, NOW + 1) is None
    assert opened(b"x" * 32, sealed, "company", attempt.state, NOW + 1) is None
    assert opened(KEY, sealed, "company", attempt.state, NOW + LASTS_SECONDS + 1) is None
