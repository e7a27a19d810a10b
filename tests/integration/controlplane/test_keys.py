"""API keys: the secret is shown once, rotation overlaps, revocation is for ever."""

import hashlib
import hmac
import json
import re
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from mizzen_crds.api_keys import KEY_PATTERN
from support.controlplane import ControlPlane
from support.usage_events import batch_body, usage_event


def test_a_key_shows_its_secret_once(admin: httpx.Client, project: str) -> None:
    made = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    assert re.fullmatch(KEY_PATTERN, secret)
    assert secret[-8:] == f"{zlib.crc32(secret[:-8].encode()):08x}"
    read = admin.get(f"/api/v1/projects/{project}/keys/app")
    assert "secret" not in read.json()
    assert read.json()["state"] == "ACTIVE"


def test_the_secret_is_nowhere_in_audit_or_log(controlplane: ControlPlane, admin: httpx.Client, project: str) -> None:
    secret = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"}).json()["secret"]
    trail = admin.get(f"/api/v1/projects/{project}/audit-events")
    assert trail.json()["items"][0]["action"] == "keys.create"
    for text in (trail.text, controlplane.log):
        assert secret not in text
        assert secret.rsplit("_", 1)[1][:43] not in text


def test_a_revoked_key_stays_revoked(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    admin.post(keys, json={"name": "app"})
    assert admin.post(f"{keys}/app:revoke").json()["state"] == "REVOKED"
    assert admin.post(f"{keys}/app:revoke").status_code == 200
    refused = admin.post(f"{keys}/app:rotate", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "key_revoked")


def key_in_snapshot(controlplane: ControlPlane, key_id: str) -> dict[str, Any]:
    with controlplane.client("gateway") as gateway:
        keys = gateway.get("/internal/v1/access/snapshot").json()["keys"]
    return next(key for key in keys if key["id"] == key_id)


def digest(controlplane: ControlPlane, secret: str) -> str:
    pepper = (controlplane.secrets_dir / "pepper").read_bytes()
    return hmac.new(pepper, secret.rsplit("_", 1)[1][:43].encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("overlap", [0, 600])
def test_a_rotation_keeps_the_id_and_the_old_secret_for_the_overlap(
    controlplane: ControlPlane, admin: httpx.Client, project: str, overlap: int
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    made = admin.post(keys, json={"name": "app"}).json()
    rotated = admin.post(f"{keys}/app:rotate", json={"overlap_seconds": overlap}).json()
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]
    key = key_in_snapshot(controlplane, made["id"])
    assert key["digest"] == digest(controlplane, rotated["secret"])
    assert key["previous_digest"] == (digest(controlplane, made["secret"]) if overlap else None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "app", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "app", "expires_at": "2090-01-01T00:00:00"}, "/expires_at"),
        ({"name": "app", "models": []}, "/models"),
        ({"name": "App"}, "/name"),
        ({"name": "app", "priority": "urgent"}, "/priority"),
        ({"name": "app", "operations": ["chat.completions", "pray"]}, "/operations/1"),
        ({"name": "app", "operations": []}, "/operations"),
        ({"name": "app", "ip_ranges": ["192.0.2.1/24"]}, "/ip_ranges/0"),
        ({"name": "app", "ip_ranges": ["everywhere"]}, "/ip_ranges/0"),
        ({"name": "app", "routes": [""]}, "/routes/0"),
    ],
)
def test_a_wrong_key_is_refused_with_the_field(
    admin: httpx.Client, project: str, body: dict[str, Any], pointer: str
) -> None:
    refused = admin.post(f"/api/v1/projects/{project}/keys", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == pointer


def test_gateways_are_told_the_priority_of_a_key(controlplane: ControlPlane, admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    key_id = admin.post(keys, json={"name": "plain"}).json()["id"]
    admin.post(keys, json={"name": "nightly", "priority": "batch"})

    def named(word: str) -> list[str]:
        found = admin.get(keys, params={"filter": f"priority = {word}"}).json()["items"]
        return [key["name"] for key in found if key["priority"] == word]

    assert (named("standard"), named("batch")) == (["plain"], ["nightly"])
    told = ["standard", "interactive", "standard"]
    for priority, known in zip((..., "interactive", None), told, strict=True):
        body = {"labels": {"a": "b"}} if priority is ... else {"priority": priority}
        changed = admin.patch(f"{keys}/plain", json=body)
        assert (changed.status_code, changed.json()["priority"]) == (200, known)
        assert admin.get(f"{keys}/plain").json()["priority"] == known
        assert key_in_snapshot(controlplane, key_id)["priority"] == known


def test_a_key_that_is_confined_in_a_new_way_is_hidden_from_gateways_that_would_not_hold_it_to_that(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    scopes = {"operations": ["embeddings", "embeddings"], "ip_ranges": ["192.0.2.7", "2001:db8::/32"], "routes": ["r"]}
    made = admin.post(keys, json={"name": "narrow", **scopes}).json()
    kept = {"operations": ["embeddings"], "ip_ranges": ["192.0.2.7/32", "2001:db8::/32"], "routes": ["r"]}
    assert {field: made[field] for field in kept} == kept
    with controlplane.client("gateway") as gateway:
        snapshot = gateway.get("/internal/v1/access/snapshot").json()
        assert made["id"] not in {key["id"] for key in snapshot["keys"]}
        told = next(key for key in snapshot["further_keys"] if key["id"] == made["id"])
        assert {field: told[field] for field in kept} == kept
    admin.patch(f"{keys}/narrow", json=dict.fromkeys(kept))
    assert key_in_snapshot(controlplane, made["id"])["operations"] is None


def test_the_audit_trail_tells_what_the_priority_of_a_key_was(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    admin.post(keys, json={"name": "nightly"})
    admin.patch(f"{keys}/nightly", json={"priority": "batch"})
    events = admin.get(f"/api/v1/projects/{project}/audit-events").json()["items"]
    changed = next(event for event in events if event["action"] == "keys.change")
    assert (changed["before"]["priority"], changed["after"]["priority"]) == ("standard", "batch")


def test_a_revoked_key_leaves_the_feed_within_a_second(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    key_id = admin.post(keys, json={"name": "app"}).json()["id"]
    with (
        controlplane.client("gateway") as gateway,
        gateway.stream("GET", "/internal/v1/access/watch", params={"after": 0}) as feed,
    ):
        snapshots = read_snapshots(feed)
        assert key_id in next(snapshots)
        revoked_at = time.monotonic()
        admin.post(f"{keys}/app:revoke")
        assert any(key_id not in keys_now for keys_now in snapshots)
        assert time.monotonic() - revoked_at < 1.0


def read_snapshots(feed: httpx.Response) -> Iterator[set[str]]:
    for line in feed.iter_lines():
        read = json.loads(line)
        if read["type"] == "SNAPSHOT":
            yield {key["id"] for key in read["snapshot"]["keys"]}


def test_keys_are_revoked_together_by_label_age_and_use_once_a_dry_run_has_told_which(
    controlplane: ControlPlane, admin: httpx.Client, project: str
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    odd = {"team/x.y": "search"}
    made = {
        name: admin.post(keys, json={"name": name, "labels": labels}).json()
        for name, labels in (("old", odd), ("used", odd), ("other", {"team/x.y": "shop"}), ("gone", odd))
    }
    admin.post(f"{keys}/gone:revoke")
    assert made["used"]["last_used_at"] is None
    now = datetime.now(UTC)
    project_id = admin.get(f"/api/v1/projects/{project}").json()["id"]
    started = now + timedelta(minutes=5, seconds=1.5)
    event = usage_event(project_id, key_id=made["used"]["id"], started_at=started, currency="USD")
    with controlplane.client("gateway") as gateway:
        taken = gateway.post("/internal/v1/usage/events", json=batch_body(event))
        assert taken.json()["accepted"] == 1, taken.text
    used = datetime.fromisoformat(admin.get(f"{keys}/used").json()["last_used_at"])
    assert used == started.replace(second=0, microsecond=0)
    which = {"labels": odd, "last_used_before": (now + timedelta(minutes=3)).isoformat()}
    found = []
    for dry_run in ("true", "false", "false"):
        told = admin.post(f"{keys}:bulkRevoke", params={"dry_run": dry_run}, json=which).json()
        found.append([(key["name"], key["state"]) for key in told["keys"]])
        assert not told["more"]
        assert ("old" in revoked_of(admin, project)) is (dry_run == "false")
    assert found == [[("old", "ACTIVE")], [("old", "REVOKED")], []]
    assert revoked_of(admin, project) == {"old", "gone"}
    trail = admin.get(f"/api/v1/projects/{project}/audit-events").json()["items"]
    assert [event["action"] for event in trail].count("keys.revoke") == 2


def revoked_of(admin: httpx.Client, project: str) -> set[str]:
    items = admin.get(f"/api/v1/projects/{project}/keys").json()["items"]
    return {key["name"] for key in items if key["state"] == "REVOKED"}


def test_revoking_many_keys_needs_to_be_told_which(admin: httpx.Client, project: str) -> None:
    refused = admin.post(f"/api/v1/projects/{project}/keys:bulkRevoke", json={})
    assert refused.status_code == 422
    assert "all keys would be meant" in refused.text
