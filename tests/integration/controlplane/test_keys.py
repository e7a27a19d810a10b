"""API keys: the secret is shown once, rotation overlaps, revocation is for ever."""

import re

import httpx
from support.controlplane import ControlPlane


def test_a_key_shows_its_secret_once(admin: httpx.Client, project: str) -> None:
    made = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"})
    assert made.status_code == 201, made.text
    assert re.fullmatch(r"mzk_[a-z2-7]{20}_[A-Za-z0-9]{43}", made.json()["secret"])
    read = admin.get(f"/api/v1/projects/{project}/keys/app")
    assert "secret" not in read.json()
    assert read.json()["state"] == "ACTIVE"


def test_the_secret_is_nowhere_in_audit_or_log(controlplane: ControlPlane, admin: httpx.Client, project: str) -> None:
    secret = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"}).json()["secret"]
    trail = admin.get(f"/api/v1/projects/{project}/audit-events")
    assert trail.json()["items"][0]["action"] == "keys.create"
    for text in (trail.text, controlplane.log):
        assert secret not in text
        assert secret.rsplit("_", 1)[1] not in text


def test_a_revoked_key_stays_revoked(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    admin.post(keys, json={"name": "app"})
    assert admin.post(f"{keys}/app:revoke").json()["state"] == "REVOKED"
    assert admin.post(f"{keys}/app:revoke").status_code == 200
    refused = admin.post(f"{keys}/app:rotate", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "key_revoked")
