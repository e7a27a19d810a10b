"""Signing in with a password: the first administrator, sessions and their end, and how often may be tried."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from support.command_line import CommandLine
from support.controlplane import FIRST_PASSWORD, ControlPlane
from support.plain_http import NOBODY


@dataclass
class Installation:
    """A control plane with a local administrator."""

    plane: ControlPlane
    password: str
    """The administrator's own."""

    def visitor(self, **headers: str) -> httpx.Client:
        """Somebody without a token, who keeps cookies."""
        return httpx.Client(base_url=self.plane.url, trust_env=False, verify=NOBODY, headers=headers, timeout=30)

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """The administrator's browser."""
        with self.visitor() as browser:
            answer = browser.post("/auth/password", json={"username": "Admin", "password": self.password})
            assert answer.status_code == 200, answer.text
            assert answer.json()["token"] is None
            browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
            yield browser


@pytest.fixture(scope="module")
def made() -> dict[str, Installation]:
    """Each database's, made when the first test asks."""
    return {}


@pytest.fixture
def installation(controlplane: ControlPlane, made: dict[str, Installation]) -> Installation:
    """The session's, in whose folder of secrets a one-time password lay."""
    if controlplane.url not in made:
        made[controlplane.url] = first_sign_in(controlplane)
    return made[controlplane.url]


def first_sign_in(plane: ControlPlane) -> Installation:
    """With the one-time password, which opens nothing until another is set."""
    new = secrets.token_urlsafe(12)
    installation = Installation(plane, new)
    given = {"username": "admin", "password": FIRST_PASSWORD}
    with installation.visitor() as visitor:
        refused = visitor.post("/auth/password", json=given)
        assert (refused.status_code, refused.json()["code"]) == (403, "password_change_needed")
        weak = visitor.post("/auth/password", json={**given, "new_password": "short"})
        assert weak.json()["errors"][0]["pointer"] == "/new_password"
        assert visitor.post("/auth/password", json={**given, "new_password": new}).status_code == 200
        assert visitor.post("/auth/password", json={**given, "new_password": new}).status_code == 401
    return installation


def test_the_first_administrator_signs_in_and_manages(installation: Installation) -> None:
    with installation.signed_in() as browser:
        me = browser.get("/api/v1/me").json()
        assert me["name"] == "Administrator"
        assert {"manage", "projects:create", "self"} <= set(me["permissions"])
        assert me["principal"].startswith("person:per_")
        assert browser.post("/api/v1/projects", json={"name": f"p-{secrets.token_hex(4)}"}).status_code == 201
        events = browser.get("/api/v1/audit-events", params={"filter": "action = projects.create"}).json()["items"]
        assert events[0]["actor"] == me["principal"]


def test_the_cookie_is_kept_from_scripts_and_other_sites(installation: Installation) -> None:
    with installation.visitor() as visitor:
        answer = visitor.post("/auth/password", json={"username": "admin", "password": installation.password})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # it speaks plain HTTP


def test_a_write_by_cookie_needs_what_another_sites_page_cannot_know(installation: Installation) -> None:
    with installation.signed_in() as browser:
        ours = browser.headers.pop("X-CSRF-Token")
        for token in ("", "0" * 64, ours[:-1]):
            for extra in ({}, {"Idempotency-Key": secrets.token_hex(8)}):
                headers = {"X-CSRF-Token": token, **extra}
                refused = browser.post("/api/v1/projects", json={"name": "by-another"}, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (403, "csrf_token_needed")
        assert browser.get("/api/v1/me").json()["csrf_token"] == ours


def test_another_sites_page_signs_nobody_in(installation: Installation) -> None:
    given = {"username": "admin", "password": installation.password}
    with installation.visitor(**{"Sec-Fetch-Site": "cross-site"}) as visitor:
        assert visitor.post("/auth/password", json=given).json()["code"] == "cross_site"
    with installation.visitor() as visitor:
        form = visitor.post("/auth/password", data=given)
        assert form.status_code == 422


def test_a_session_ends_when_one_signs_out(installation: Installation) -> None:
    with installation.signed_in() as browser, installation.visitor() as thief:
        name, value = next(iter(browser.cookies.items()))
        thief.cookies.set(name, value)
        assert thief.get("/api/v1/me").status_code == 200
        assert browser.post("/auth/sign-out").status_code == 204
        assert not browser.cookies
        assert thief.get("/api/v1/me").status_code == 401


def test_a_browsers_secret_is_no_token_and_a_token_is_no_cookie(installation: Installation) -> None:
    given = {"username": "admin", "password": installation.password, "kind": "COMMAND_LINE"}
    with installation.signed_in() as browser, installation.visitor() as other:
        name, cookie = next(iter(browser.cookies.items()))
        assert other.get("/api/v1/me", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401
        answer = other.post("/auth/password", json=given)
        assert "Set-Cookie" not in answer.headers
        token = answer.json()["token"]
        assert other.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        other.cookies.set(name, token)
        assert other.get("/api/v1/me").status_code == 401
    assert token not in installation.plane.log


def test_one_sees_and_ends_ones_own_sessions_alone(installation: Installation) -> None:
    with installation.signed_in() as first, installation.signed_in() as second, installation.plane.client() as admin:
        sessions = first.get("/api/v1/sessions", params={"page_size": 500}).json()["items"]
        assert [one["current"] for one in sessions].count(True) == 1
        mine = second.get("/api/v1/me").json()["session_id"]
        assert admin.get("/api/v1/sessions").json()["items"] == []
        assert admin.delete(f"/api/v1/sessions/{mine}").status_code == 404
        assert second.get("/api/v1/me").status_code == 200
        assert first.delete(f"/api/v1/sessions/{mine}").status_code == 204
        assert second.get("/api/v1/me").status_code == 401


def test_a_changed_password_ends_the_other_sessions(installation: Installation) -> None:
    with installation.signed_in() as first, installation.signed_in() as second:
        new = secrets.token_urlsafe(12)
        wrong = {"password": "not the password", "new_password": new}
        assert first.post("/api/v1/me:changePassword", json=wrong).json()["code"] == "wrong_password"
        body = {"password": installation.password, "new_password": new}
        assert first.post("/api/v1/me:changePassword", json=body).status_code == 204
        installation.password = new
        assert first.get("/api/v1/me").status_code == 200
        assert second.get("/api/v1/me").status_code == 401
        assert installation.password not in installation.plane.log


def test_who_is_disabled_is_signed_out_and_stays_out(installation: Installation) -> None:
    with installation.signed_in() as browser, installation.plane.client() as admin:
        person = browser.get("/api/v1/me").json()["principal"].removeprefix("person:")
        etag = admin.get(f"/api/v1/persons/{person}").headers["ETag"]
        for status in (200, 412):
            change = admin.patch(f"/api/v1/persons/{person}", json={"disabled": True}, headers={"If-Match": etag})
            assert change.status_code == status
        assert browser.get("/api/v1/me").status_code == 401
        given = {"username": "admin", "password": installation.password}
        assert browser.post("/auth/password", json=given).json()["code"] == "person_disabled"
        assert admin.patch(f"/api/v1/persons/{person}", json={"disabled": False}).status_code == 200
    with installation.signed_in() as browser:
        assert browser.get("/api/v1/me").status_code == 200


def test_failed_attempts_make_wait_but_lock_nobody_out_for_ever(installation: Installation) -> None:
    username = f"nobody-{secrets.token_hex(4)}"
    with installation.visitor(**{"X-Forwarded-For": "192.0.2.7"}) as attacker:
        answers = [
            attacker.post("/auth/password", json={"username": name, "password": f"guess {n}"})
            for name in ("admin", username)
            for n in range(6)
        ]
    for tried in (answers[:6], answers[6:]):  # an account that is there and one that is not: no difference
        assert [answer.status_code for answer in tried] == [401] * 5 + [429]
        assert 1 <= int(tried[-1].headers["Retry-After"]) <= 11
    with installation.signed_in() as browser:  # from elsewhere, at once
        assert browser.get("/api/v1/me").status_code == 200


def test_a_forgotten_password_is_replaced_by_one_that_works_once(installation: Installation) -> None:
    with installation.signed_in() as browser, installation.plane.client() as admin:
        person = browser.get("/api/v1/me").json()["principal"].removeprefix("person:")
        one_time = admin.post(f"/api/v1/persons/{person}:resetPassword").json()["password"]
        assert browser.get("/api/v1/me").status_code == 401
        given = {"username": "admin", "password": one_time}
        assert browser.post("/auth/password", json=given).json()["code"] == "password_change_needed"
        installation.password = secrets.token_urlsafe(12)
        changed = browser.post("/auth/password", json={**given, "new_password": installation.password})
        assert changed.status_code == 200
        assert admin.post("/api/v1/persons/per_nobody:resetPassword").status_code == 404


def test_the_command_line_signs_in_by_password_and_out_again(installation: Installation, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    mizzen = CommandLine({"MIZZEN_CONFIG": str(config)})
    mizzen("login", "--url", installation.plane.url, "--password", stdin="not the password\n", code=1)
    assert not config.exists()
    mizzen("login", "--url", installation.plane.url, "--password", stdin=installation.password + "\n")
    assert config.stat().st_mode & 0o777 == 0o600
    me = mizzen("whoami", "-o", "json").json
    assert (me["name"], me["provider"]) == ("Administrator", "local")
    here = [one["id"] for one in mizzen("sessions", "list", "-o", "json").json if one["current"]]
    assert here == [me["session_id"]]
    mizzen("logout")
    assert "mzt_session_" not in config.read_text()
    mizzen("whoami", code=1)
