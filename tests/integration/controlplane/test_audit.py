"""The audit trail on real databases: from where, in which format, and what is found of what somebody did to it."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from mizzen_controlplane.audit.chain import verify_chain
from mizzen_controlplane.audit.chain_format import commitment
from mizzen_controlplane.kit.database import Database, reading
from support.audit_chains import empty_chain, written, written_by_the_release_before
from support.controlplane import ControlPlane


@pytest.fixture(scope="session")
def urls(new_controlplane: Callable[[str], ControlPlane]) -> dict[str, str]:
    """A database of each kind, for all tests of this file."""
    return {kind: new_controlplane(kind).database_url for kind in ("sqlite", "postgresql")}


@pytest.fixture
async def database(database_kind: str, urls: dict[str, str]) -> AsyncIterator[Database]:
    """An empty chain."""
    async with empty_chain(urls[database_kind]) as found:
        yield found


def test_an_event_tells_from_where_and_the_chain_holds_a_commitment_to_it(
    controlplane: ControlPlane, admin: httpx.Client
) -> None:
    controlplane.new_project()
    asked = {"filter": "actor = admin", "page_size": 1}
    event = admin.get("/api/v1/audit-events", params=asked).json()["items"][0]
    (personal,) = event["personal"]
    assert (personal["person"], personal["content"]) == ("admin", {"address": "127.0.0.1"})
    assert event["commitments"] == [commitment(personal["salt"], personal["content"])]


async def test_events_of_the_release_before_stay_verifiable_under_newer_ones(database: Database) -> None:
    await written_by_the_release_before(database)
    await written(database, 2)
    async with reading(database) as session:
        report = await verify_chain(session)
    assert (report.whole, report.events) == (True, 3)
