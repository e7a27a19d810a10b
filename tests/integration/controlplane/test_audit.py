"""The audit trail on real databases: from where, in which format, and what is found of what somebody did to it."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from mizzen_controlplane.audit.anchoring import anchor_now, keys_of
from mizzen_controlplane.audit.chain import verify_chain
from mizzen_controlplane.audit.chain_format import commitment
from mizzen_controlplane.audit.export import exported
from mizzen_controlplane.audit.retention import remove_old
from mizzen_controlplane.kit.database import Database, reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.privacy.service import erase_person
from mizzen_controlplane.sign_in.models import Person
from support.audit_chains import empty_chain, plane_on, tampered, written, written_by_the_release_before
from support.controlplane import ControlPlane

ADMIN = Subject("admin", frozenset())


@pytest.fixture(scope="session")
def urls(new_controlplane: Callable[[str], ControlPlane]) -> dict[str, str]:
    """A database of each kind, for all tests of this file."""
    return {kind: new_controlplane(kind).database_url for kind in ("sqlite", "postgresql")}


@pytest.fixture
async def database(database_kind: str, urls: dict[str, str]) -> AsyncIterator[Database]:
    """An empty chain."""
    async with empty_chain(urls[database_kind]) as found:
        yield found


async def found_in(plane: Plane) -> set[tuple[int, str]]:
    """Number and kind of everything that is found."""
    return {(finding.number, finding.kind) for finding in (await verify_chain(plane)).findings}


def test_an_event_tells_from_where_and_the_chain_holds_a_commitment_to_it(
    controlplane: ControlPlane, admin: httpx.Client
) -> None:
    controlplane.new_project()
    asked: dict[str, str | int] = {"filter": "actor = admin", "page_size": 1}
    event = admin.get("/api/v1/audit-events", params=asked).json()["items"][0]
    (personal,) = event["personal"]
    assert (personal["person"], personal["content"]) == ("admin", {"address": "127.0.0.1"})
    assert event["commitments"] == [commitment(personal["salt"], personal["content"])]
    lines = [json.loads(line) for line in admin.get("/api/v1/audit-events:export").text.splitlines()]
    assert (lines[0]["kind"], lines[-1]["kind"]) == ("header", "event")
    assert admin.post("/api/v1/audit-events:anchor").json()["code"] == "no_audit_key"
    assert admin.post("/api/v1/persons/per_nobody:erase").json()["code"] == "person_not_found"


async def test_events_of_the_release_before_stay_verifiable_under_newer_ones(
    database: Database, tmp_path: Path
) -> None:
    await written_by_the_release_before(database)
    await written(database, 2)
    report = await verify_chain(plane_on(database, tmp_path))
    assert (report.whole, report.events) == (True, 3)


async def test_a_changed_event_a_missing_one_and_changed_personal_data_are_found(
    database: Database, tmp_path: Path
) -> None:
    plane = plane_on(database, tmp_path)
    await written(database, 6)
    await tampered(database, "UPDATE audit_event SET actor = 'nobody' WHERE number = 2")
    await tampered(database, "DELETE FROM audit_event WHERE number = 4")
    changed = """UPDATE audit_personal SET content = '{"address"\\: "203.0.113.1"}' WHERE number = 6"""
    await tampered(database, changed)
    assert await found_in(plane) == {(2, "changed_event"), (4, "missing_event"), (6, "changed_personal_data")}


async def test_a_tail_that_was_cut_with_its_anchors_and_counter_is_found_by_the_sink(
    database: Database, tmp_path: Path
) -> None:
    plane = plane_on(database, tmp_path)
    await written(database, 5)
    await anchor_now(plane)
    assert (await verify_chain(plane)).tail == "anchored"
    await tampered(
        database,
        "DELETE FROM audit_event WHERE number > 3",
        "DELETE FROM audit_anchor",
        "UPDATE counter SET value = 3 WHERE name = 'audit'",
    )
    assert await found_in(plane) == {(4, "cut_tail")}
    blind = await verify_chain(plane_on(database, tmp_path, sink=False))
    assert (blind.whole, blind.tail) == (True, "undetectable")
    assert "a cut tail is undetectable" in " ".join(blind.notes)


async def test_a_chain_that_was_written_anew_as_a_whole_is_found_and_never_signed(
    database: Database, tmp_path: Path
) -> None:
    plane = plane_on(database, tmp_path)
    await written(database, 3)
    await anchor_now(plane)
    for table in ("audit_event", "audit_personal", "audit_anchor"):
        await tampered(database, f"DELETE FROM {table}")
    await tampered(database, "UPDATE counter SET value = 0 WHERE name = 'audit'")
    await written(database, 4, actor="person:other")
    assert await found_in(plane) == {(3, "rewritten")}
    with pytest.raises(Conflict, match="does not fit the anchor of event 3"):
        await anchor_now(plane)


async def test_old_events_go_up_to_an_anchor_and_the_rest_stays_provable(database: Database, tmp_path: Path) -> None:
    plane = plane_on(database, tmp_path, audit_keep_days=7)
    await written_by_the_release_before(database)
    await anchor_now(plane)
    await written(database, 3)
    assert await remove_old(plane, keys_of(plane)) == 1, "only what is older than 7 days, and only up to an anchor"
    report = await verify_chain(plane)
    assert (report.whole, report.first, report.events) == (True, 2, 4), "three, and the one that tells of it"
    await tampered(database, "DELETE FROM audit_event WHERE number = 2")
    assert (2, "missing_event") in await found_in(plane), "nobody else may remove the oldest ones"


async def test_an_erased_person_is_nowhere_and_the_chain_is_whole(database: Database, tmp_path: Path) -> None:
    plane = plane_on(database, tmp_path)
    await written(database, 2, actor="person:per_1", person="per_1", after={"email": "ada@example.org"})
    await written(database, 1, actor="person:per_2")
    await anchor_now(plane)
    await tampered(database, "DELETE FROM person WHERE id = 'per_1'")
    async with unit_of_work(database) as session:
        session.add(Person(id="per_1", name="Ada", issuer="https://id.example.org", subject="4711", email="ada@a.org"))
    assert await erase_person(plane, ADMIN, "per_1") == {"audit_events": 4, "bindings": 0, "sign_in": 1}
    async with reading(database) as session:
        left = await session.get(Person, "per_1")
    assert left is not None
    assert (left.name, left.email, left.subject, left.disabled) == ("erased", "", "per_1", True)
    everything = b"".join([line async for line in await exported(plane, 0, personal=True)])
    assert b"ada@example.org" not in everything
    assert everything.count(b"192.0.2.7") == 1, "that of the other person"
    report = await verify_chain(plane)
    assert (report.whole, report.erased) == (True, 4)
    assert await erase_person(plane, ADMIN, "per_1") == {"audit_events": 0, "bindings": 0, "sign_in": 0}
    with pytest.raises(NotFound):
        await erase_person(plane, ADMIN, "per_nobody")


async def test_events_younger_than_the_limit_stay(database: Database, tmp_path: Path) -> None:
    plane = plane_on(database, tmp_path, audit_keep_days=1)
    await written(database, 2)
    await anchor_now(plane)
    assert await remove_old(plane, keys_of(plane)) == 0
