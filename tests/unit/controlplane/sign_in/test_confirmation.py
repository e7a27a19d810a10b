"""A session at a provider goes on while the provider says so: asked every few minutes, waited for an hour."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Unauthorized, Unavailable
from mizzen_controlplane.sign_in.openid.confirmation import WAITS_FOR, confirmed
from mizzen_controlplane.sign_in.openid.provider import providers_known
from mizzen_controlplane.sign_in.openid.signing_in import exchange
from mizzen_controlplane.sign_in.repository import find_session
from mizzen_controlplane.sign_in.sessions import Begun, Caller, Kind
from support.embedded_plane import embedded_plane
from support.identity_provider import DEVICE_CLIENT, IdentityProvider, identity_provider


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


async def asked_again(plane: Plane, begun: Begun, since: timedelta = timedelta()) -> list[str]:
    """Groups of the person, after the provider was asked ten minutes and answered ten minutes and `since` ago."""
    ago = utc_now() - timedelta(minutes=10)
    async with unit_of_work(plane.database) as session:
        row = await find_session(session, begun.person.id, begun.session.id)
        assert row is not None
        row.checked_at, row.confirmed_at = ago, ago - since
    async with reading(plane.database) as session:
        row = await find_session(session, begun.person.id, begun.session.id)
    assert row is not None
    return (await confirmed(plane, row, begun.person, begun.secret)).groups


async def test_the_provider_is_asked_again_and_has_the_last_word(tmp_path: Path, provider: IdentityProvider) -> None:
    path = tmp_path / "sign-in.yaml"
    company = {"name": "company", "issuer": provider.url, "deviceClientId": DEVICE_CLIENT}
    path.write_text(yaml.safe_dump({"providers": [company]}))
    provider.person = {"sub": "ada", "groups": ["builders"]}
    async with embedded_plane(tmp_path, sign_in_file=path) as plane, providers_known(plane):
        provider.refreshable["first"] = {}
        caller = Caller(Kind.COMMAND_LINE, "", "")
        begun = await exchange(plane, "company", provider.id_token(DEVICE_CLIENT), "first", caller)
        provider.person["groups"] = ["leavers"]
        assert await asked_again(plane, begun) == ["leavers"]
        assert await asked_again(plane, begun) == ["leavers"]  # with the token that came in place of the first
        provider.away = True
        await asked_again(plane, begun)
        with pytest.raises(Unavailable):
            await asked_again(plane, begun, WAITS_FOR)
        provider.away = False
        provider.refreshable.clear()
        with pytest.raises(Unauthorized):
            await asked_again(plane, begun)
        async with reading(plane.database) as session:
            assert await find_session(session, begun.person.id, begun.session.id) is None
