"""Does access reach gateways at once, whole, and in the order of the commits?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mizzen_controlplane.access.feed import access_feed
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.changes import ACCESS, next_access_version, next_version
from mizzen_controlplane.kit.database import Database, open_database, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.secret_folder import SecretFolder
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.models.content.opening import open_content
from mizzen_crds.access import AccessDelta, AccessFeedLine, AccessSnapshot
from mizzen_crds.access_signature import signature_of, signing_key
from support.controlplane import ControlPlane
from support.feed_lines import FeedLines

WATCH = "/internal/v1/access/watch"


def _snapshot(controlplane: ControlPlane) -> dict[str, Any]:
    with controlplane.client("gateway") as gateway:
        found: dict[str, Any] = gateway.get("/internal/v1/access/snapshot").json()
    return found


def test_a_revoked_key_leaves_the_stream_within_a_second(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"})
    key_id = admin.get(f"/api/v1/projects/{project}/keys").json()["items"][0]["id"]
    with FeedLines(controlplane, "gateway", WATCH) as feed:
        first = feed.wait_for(lambda line: line["type"] == "SNAPSHOT")
        assert key_id in {key["id"] for key in first["snapshot"]["keys"]}
        answered = admin.post(f"/api/v1/projects/{project}/keys/app:revoke")
        assert answered.status_code == 200
        # Within a second of the answer is what is promised.
        after = feed.wait_for(lambda line: line["type"] == "SNAPSHOT" and line["version"] > first["version"], 1.0)
    assert key_id not in {key["id"] for key in after["snapshot"]["keys"]}


def test_a_reader_with_the_newest_version_gets_heartbeats_alone(controlplane: ControlPlane) -> None:
    version = _snapshot(controlplane)["version"]
    with FeedLines(controlplane, "gateway", WATCH, after=version) as feed:
        line = feed.wait_for(lambda line: True)
    assert (line["type"], line["version"], line["snapshot"]) == ("HEARTBEAT", version, None)


def test_a_reader_from_before_a_restore_gets_the_snapshot(controlplane: ControlPlane) -> None:
    with FeedLines(controlplane, "gateway", WATCH, after=10**9) as feed:
        assert feed.wait_for(lambda line: True)["type"] == "SNAPSHOT"


def test_digests_are_in_the_snapshot_and_secrets_are_not(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    made = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"}).text
    secret = made.partition("mzk_")[2].split("_", 1)[1][:43]
    with controlplane.client("gateway") as gateway:
        text = gateway.get("/internal/v1/access/snapshot").text
    assert len(secret) == 43
    assert secret not in text


def test_only_a_gateway_may_follow_access(controlplane: ControlPlane) -> None:
    for program in ("admin", "runner", "registry"):
        with controlplane.client(program) as client:
            assert client.get("/internal/v1/access/snapshot").status_code == 403


@pytest.fixture
async def database(controlplane: ControlPlane) -> AsyncIterator[Database]:
    found = open_database(controlplane.database_url)
    yield found
    await found.close()


async def test_a_change_that_commits_late_is_never_missed(controlplane: ControlPlane, database: Database) -> None:
    """An early transaction holds the counter; a later one waits for it; a reader sees each with its version."""
    organization_id = _snapshot(controlplane)["organization_id"]
    settings = Settings(database.url, Path(), Path())
    plane = Plane(settings, SecretFolder(b"", b"", {}), database, organization_id, "USD", open_content(settings))
    names = [new_id("late")[:40].replace("_", "-"), new_id("soon")[:40].replace("_", "-")]
    holds, may_commit = asyncio.Event(), asyncio.Event()

    async def early() -> int:
        async with unit_of_work(database) as session:
            version = await next_access_version(session)
            session.add(_project(names[0], organization_id))
            holds.set()
            await may_commit.wait()
            return version

    async def later() -> int:
        async with unit_of_work(database) as session:
            session.add(_project(names[1], organization_id))
            return await next_access_version(session)

    first = asyncio.create_task(early())
    await holds.wait()
    second = asyncio.create_task(later())
    lines = access_feed(plane, None)
    feed = (AccessFeedLine.model_validate_json(line) async for line in lines)
    before = await anext(feed)
    assert before.snapshot is not None
    assert not {project.name for project in before.snapshot.projects} & set(names)
    done, _ = await asyncio.wait({second}, timeout=0.3)
    assert not done, "the later transaction overtook the earlier one"
    may_commit.set()
    versions = [await first, await second]
    assert versions == sorted(versions)
    assert versions[0] > before.version
    seen = before
    while seen.version < versions[1]:
        seen = await anext(feed)
    assert seen.snapshot is not None
    assert set(names) <= {project.name for project in seen.snapshot.projects}
    await feed.aclose()
    await lines.aclose()


def _signed(controlplane: ControlPlane, text: bytes, signature: str) -> bool:
    key = signing_key((controlplane.secrets_dir / "pepper").read_text().strip().encode())
    return signature == signature_of(key, [text])


def _raw_line(controlplane: ControlPlane, **asked: object) -> bytes:
    with (
        controlplane.client("gateway") as gateway,
        gateway.stream("GET", WATCH, params={"deltas": "true", **asked}, timeout=10) as answer,
    ):
        return next(answer.iter_lines()).encode()


def test_a_change_of_one_key_sends_that_key_alone(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    first, second = (admin.post(keys, json={"name": name}).json()["id"] for name in ("one", "two"))
    begun = _snapshot(controlplane)["version"]
    with FeedLines(controlplane, "gateway", WATCH, after=begun, deltas="true") as feed:
        admin.patch(f"{keys}/one", json={"models": ["m"]})
        changed = AccessDelta.model_validate(feed.wait_for(lambda line: line["type"] == "DELTA")["delta"])
        assert (changed.after, [key.id for key in changed.keys], changed.removed_keys) == (begun, [first], [])
        assert changed.keys[0].models == ["m"]
        admin.post(f"{keys}/two:revoke")
        gone = AccessDelta.model_validate(feed.wait_for(lambda line: line["type"] == "DELTA", 1.0)["delta"])
        assert (gone.after, gone.keys, gone.removed_keys) == (changed.version, [], [second])
        admin.post("/api/v1/projects", json={"name": f"{project}-more"})
        assert feed.wait_for(lambda line: line["type"] != "HEARTBEAT")["type"] == "SNAPSHOT"


def test_a_gateway_that_was_away_catches_up_by_one_delta(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    keys, before = f"/api/v1/projects/{project}/keys", _snapshot(controlplane)["version"]
    made = [admin.post(keys, json={"name": f"k{number}"}).json()["id"] for number in range(4)]
    admin.post(f"{keys}/k3:revoke")
    line = AccessFeedLine.model_validate_json(_raw_line(controlplane, after=before))
    assert line.delta is not None
    assert ({key.id for key in line.delta.keys}, line.delta.removed_keys) == (set(made[:3]), made[3:])


def test_a_version_that_another_release_made_is_told_by_a_whole_snapshot(
    admin: httpx.Client, project: str, controlplane: ControlPlane, counter_raised: Callable[[], Awaitable[None]]
) -> None:
    before = _snapshot(controlplane)["version"]
    asyncio.run(counter_raised())
    admin.post(f"/api/v1/projects/{project}/keys", json={"name": "app"})
    assert AccessFeedLine.model_validate_json(_raw_line(controlplane, after=before)).type == "SNAPSHOT"


@pytest.fixture
def counter_raised(controlplane: ControlPlane) -> Callable[[], Awaitable[None]]:
    async def raised() -> None:
        found = open_database(controlplane.database_url)
        async with unit_of_work(found) as session:
            await next_version(session, ACCESS)  # what a release did that keeps no changes
        await found.close()

    return raised


def test_the_text_of_the_feed_says_what_the_snapshot_says_and_is_signed(
    admin: httpx.Client, project: str, controlplane: ControlPlane
) -> None:
    keys = f"/api/v1/projects/{project}/keys"
    admin.post(keys, json={"name": "plain", "priority": "batch", "expires_at": "2090-01-01T00:00:00.5+02:00"})
    admin.post(keys, json={"name": "narrow", "models": ["m"], "operations": ["infer"], "ip_ranges": ["::1"]})
    admin.post(f"{keys}/plain:rotate", json={"overlap_seconds": 600})
    raw = _raw_line(controlplane)
    text, _, rest = raw.partition(b'"snapshot":')[2].rpartition(b',"signature":')
    assert AccessSnapshot.model_validate_json(text) == AccessSnapshot.model_validate(_snapshot(controlplane))
    signature = rest.split(b'"')[1].decode()
    assert _signed(controlplane, text, signature)
    assert not _signed(controlplane, text.replace(b"batch", b"watch", 1), signature)


def test_versions_go_on_beyond_what_a_reader_had_before_a_restore(controlplane: ControlPlane) -> None:
    had = _snapshot(controlplane)["version"] + 1_000
    line = AccessFeedLine.model_validate_json(_raw_line(controlplane, after=had))
    assert (line.type, line.version) == ("SNAPSHOT", had + 1)
    assert _snapshot(controlplane)["version"] == had + 1


def _project(name: str, organization_id: str) -> Project:
    return Project(id=new_id("prj"), name=name, namespace=name, organization_id=organization_id)
