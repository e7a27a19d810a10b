"""Programs come with a token of an OpenID provider: whom it lets in, and what it must be made of."""

import base64
import hmac
import secrets
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from support.controlplane import ControlPlane
from support.identity_provider import CLIENT, DEVICE_CLIENT, RSA, IdentityProvider, coded, unsigned
from support.plain_http import NOBODY


def me(plane: ControlPlane, token: str) -> httpx.Response:
    """Who the token says that one is."""
    return httpx.get(
        f"{plane.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False, verify=NOBODY
    )


def test_a_program_is_known_by_issuer_and_subject(controlplane: ControlPlane, provider: IdentityProvider) -> None:
    subject = f"robot-{secrets.token_hex(4)}"
    first = me(controlplane, provider.token(sub=subject, groups=["builders"], client_id="ci", email="a@example.com"))
    assert first.status_code == 200, first.text
    assert (first.json()["name"], first.json()["groups"], first.json()["permissions"]) == ("ci", ["builders"], ["self"])
    again = me(controlplane, provider.token(sub=subject, email="b@example.com")).json()
    assert (again["principal"], again["groups"]) == (first.json()["principal"], [])
    other = me(controlplane, provider.token(sub=f"{subject}-2", email="a@example.com")).json()
    assert other["principal"] != first.json()["principal"]  # not by e-mail


def test_a_group_of_the_settings_makes_a_platform_administrator(
    controlplane: ControlPlane, provider: IdentityProvider
) -> None:
    subject = f"robot-{secrets.token_hex(4)}"
    assert "manage" in me(controlplane, provider.token(sub=subject, groups=["platform"])).json()["permissions"]
    assert "manage" not in me(controlplane, provider.token(sub=subject, groups=["others"])).json()["permissions"]


def test_whom_an_administrator_disabled_has_no_token(controlplane: ControlPlane, provider: IdentityProvider) -> None:
    token = provider.token(sub=f"robot-{secrets.token_hex(4)}")
    person = me(controlplane, token).json()["principal"].removeprefix("person:")
    with controlplane.client() as admin:
        assert admin.patch(f"/api/v1/persons/{person}", json={"disabled": True}).status_code == 200
    assert (me(controlplane, token).status_code, me(controlplane, token).json()["code"]) == (401, "token_refused")


WRONG: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "another"},
    "the browser's audience": {"aud": CLIENT},
    "the command line's audience": {"aud": [DEVICE_CLIENT]},
    "no audience": {"aud": None},
    "no end": {"exp": None},
    "over": {"exp": int(time.time()) - 3600},
    "not yet": {"nbf": int(time.time()) + 3600},
    "from the future": {"iat": int(time.time()) + 3600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number for a subject": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG.keys())
def test_a_token_that_was_not_made_for_this_api_is_refused(
    controlplane: ControlPlane, provider: IdentityProvider, claims: dict[str, Any]
) -> None:
    answer = me(controlplane, provider.token(**{"sub": "robot", **claims}))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused"), answer.text


def forged(provider: IdentityProvider) -> dict[str, str]:
    """Tokens that anybody can make who knows what the provider publishes."""
    good = provider.token(sub="robot")
    claims = {"iss": provider.url, "aud": "mizzen-api", "sub": "robot", "exp": int(time.time()) + 300}
    head, body, signature = good.split(".")
    weak = ".".join(coded(each) for each in ({"alg": "HS256", "kid": "rsa-1"}, claims))
    tag = hmac.digest(RSA.as_pem(private=False), weak.encode(), "sha256")
    strangers = ECKey.generate_key("P-256", {"kid": "rsa-1"})
    changed = unsigned({**claims, "groups": ["platform"]}).split(".")[1]
    return {
        "none": unsigned(claims),
        "the public key as a secret": f"{weak}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}",
        "another algorithm": provider.token(key=strangers, sub="robot"),
        "a key of its own": jwt.encode(
            {"alg": "RS256", "kid": "rsa-1"}, claims, type(RSA).generate_key(2048), ["RS256"]
        ),
        "another body": f"{head}.{changed}.{signature}",
        "no signature": f"{head}.{body}.",
        "an unknown key": provider.token(sub="robot", header={"kid": "nobody's"}),
    }


def test_a_forged_token_is_refused(controlplane: ControlPlane, provider: IdentityProvider) -> None:
    for kind, token in forged(provider).items():
        answer = me(controlplane, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_refused"), f"{kind}: {answer.text}"
        assert token not in controlplane.log
    assert me(controlplane, provider.token(sub="robot", iss="https://elsewhere.example.com")).status_code == 401
    before = provider.asked.count("/keys")
    for _ in range(10):
        assert me(controlplane, provider.token(sub="robot", header={"kid": secrets.token_hex(4)})).status_code == 401
    assert provider.asked.count("/keys") - before <= 1  # unknown keys cost the provider next to nothing
