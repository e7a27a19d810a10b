"""The rules of provider tokens that need no provider: keys that change, ID tokens, and the file of providers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from mizzen_controlplane.kit.settings import SettingsError
from mizzen_controlplane.sign_in.openid.claims import TokenRefusedError, check_id_token
from mizzen_controlplane.sign_in.openid.known_keys import (
    ASKED_AT_MOST_EVERY,
    BELIEVED_SECONDS,
    FRESH_SECONDS,
    KnownKeys,
)
from mizzen_controlplane.sign_in.openid.provider_http import ProviderError
from mizzen_controlplane.sign_in.openid.providers import read_providers

FIRST, SECOND = (ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}) for kid in ("first", "second"))


class Issuer:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self, *keys: RSAKey | ECKey | OKPKey | OctKey) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.away = False
        self.now = 0.0
        self.known = KnownKeys(self.answer, lambda: self.now)

    async def answer(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.away:
            raise ProviderError("away")
        return {"keys": [*(key.as_dict(private=isinstance(key, OctKey)) for key in self.keys), {"kty": "new"}, "odd"]}


async def test_a_key_that_came_later_is_asked_for_and_unknown_ones_seldom() -> None:
    issuer = Issuer(FIRST)
    assert (await issuer.known.key("first", "ES256")).kid == "first"
    issuer.keys.append(SECOND)
    issuer.now += ASKED_AT_MOST_EVERY
    assert (await issuer.known.key("second", "ES256")).kid == "second"
    for _ in range(5):
        with pytest.raises(TokenRefusedError):
            await issuer.known.key("third", "ES256")
    assert issuer.asked == 2


async def test_keys_are_renewed_and_believed_for_a_day_without_their_issuer() -> None:
    issuer = Issuer(FIRST)
    await issuer.known.key("first", "ES256")
    issuer.away, issuer.now = True, FRESH_SECONDS + 1
    assert (await issuer.known.key("first", "ES256")).kid == "first"
    issuer.now = BELIEVED_SECONDS + 1
    with pytest.raises(ProviderError):
        await issuer.known.key("first", "ES256")
    issuer.away, issuer.keys, issuer.now = False, [SECOND], issuer.now + ASKED_AT_MOST_EVERY
    with pytest.raises(TokenRefusedError):
        await issuer.known.key("first", "ES256")


async def test_a_key_serves_what_it_was_published_for_alone() -> None:
    encrypts = ECKey.generate_key("P-256", {"kid": "encrypts", "use": "enc"})
    other = ECKey.generate_key("P-384", {"kid": "other", "use": "sig", "alg": "ES384"})
    shared = OctKey.import_key("0123456789abcdef0123456789abcdef", {"kid": "shared"})
    issuer = Issuer(encrypts, other, shared)
    for kid, algorithm in (("encrypts", "ES256"), ("other", "ES256"), ("shared", "HS256"), ("shared", "RS256")):
        with pytest.raises(TokenRefusedError):
            await issuer.known.key(kid, algorithm)


async def test_a_token_without_a_key_id_has_the_only_fitting_key() -> None:
    issuer = Issuer(FIRST, OKPKey.generate_key("Ed25519", {"kid": "ed"}))
    assert (await issuer.known.key(None, "ES256")).kid == "first"
    assert (await issuer.known.key(None, "Ed25519")).kid == "ed"
    two = Issuer(FIRST, SECOND)
    with pytest.raises(TokenRefusedError):
        await two.known.key(None, "ES256")


GOOD = {"aud": "mizzen", "nonce": "n-1"}


@pytest.mark.parametrize(
    "change",
    [{"nonce": "n-0"}, {"nonce": None}, {"azp": "another"}, {"aud": ["mizzen", "another"]}, {"typ": "Bearer"}],
    ids=["an earlier nonce", "no nonce", "another client", "for several and no word for whom", "an access token"],
)
def test_an_id_token_of_another_attempt_or_client_is_refused(change: dict[str, Any]) -> None:
    check_id_token({**GOOD, "azp": "mizzen", "typ": "ID"}, "mizzen", "n-1")
    check_id_token(GOOD, "mizzen", "n-1")
    with pytest.raises(TokenRefusedError):
        check_id_token({**GOOD, **change}, "mizzen", "n-1")


FINE = {"name": "company", "issuer": "https://id.example.com/realms/company", "clientId": "mizzen"}


def written(folder: Path, *providers: dict[str, Any]) -> Path:
    path = folder / "sign-in.yaml"
    path.write_text(yaml.safe_dump({"providers": list(providers)}))
    return path


def test_files_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "client-secret").write_text("s3cret\n")
    [provider] = read_providers(written(tmp_path, {**FINE, "clientSecretFile": "client-secret"}))
    assert (provider.client_secret, provider.algorithms) == ("s3cret", ("RS256",))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"issuer": "http://id.example.com"}, "https://"),
        ({"audiences": ["mizzen"]}, "audiences must differ"),
        ({"clientId": ""}, "nobody could sign in"),
        ({"clientSecret": "s3cret"}, "clientSecret"),
        ({"clientSecretFile": "missing"}, "missing"),
        ({"name": "local"}, "taken"),
        ({"scopes": ["profile"]}, "openid"),
    ],
)
def test_a_provider_that_would_not_be_safe_stops_the_start(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_providers(written(tmp_path, {**FINE, **change}))
    with pytest.raises(SettingsError, match="same issuer"):
        read_providers(written(tmp_path, FINE, {**FINE, "name": "second"}))
