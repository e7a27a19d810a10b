"""A password's hash costs what RFC 9106 recommends where memory is short, also for an account that is not there."""

import pytest
from mizzen_controlplane.sign_in import passwords

RECOMMENDED = "$argon2id$v=19$m=65536,t=3,p=4$"


async def test_a_hash_is_of_the_recommended_cost_and_of_this_password_alone() -> None:
    made = await passwords.hashed("correct horse battery")
    assert made.startswith(RECOMMENDED)
    assert await passwords.is_password(made, "correct horse battery")
    assert not await passwords.is_password(made, "correct horse batter")


async def test_an_account_that_is_not_there_costs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    verified = passwords._verified
    monkeypatch.setattr(passwords, "_verified", lambda kept, password: (seen.append(kept), verified(kept, password))[1])
    assert not await passwords.is_password(None, "anything at all")
    assert [kept.startswith(RECOMMENDED) for kept in seen] == [True]
