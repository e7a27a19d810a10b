"""A chain of audit events on a database without a control plane: written, tampered with, verified."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mizzen_controlplane import schema
from mizzen_controlplane.audit.chain_format import GENESIS, canonical, hash_of
from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.kit.database import Database, open_database, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.request_context import begin_request
from mizzen_controlplane.kit.secret_folder import SecretFolder
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.models.content.opening import open_content
from sqlalchemy import text

KEY = "11" * 32
OF_FORMAT_1: Mapping[str, Any] = {
    "id": "aud_1", "number": 1, "at": "2026-11-01T08:00:00.000001+00:00", "actor": "admin", "action": "projects.create",
    "outcome": "done", "resource": "prj_1", "resource_name": "café", "project_id": "prj_1", "request_id": "req_1",
    "before": None, "after": {"name": "café"}, "previous_hash": GENESIS,
}  # fmt: skip
"""As releases wrote them before there were formats."""


@asynccontextmanager
async def empty_chain(url: str) -> AsyncIterator[Database]:
    """The database of `url` with its tables, and no event."""
    database = open_database(url)
    await schema.upgrade(database)
    await tampered(database, "DELETE FROM audit_event", "DELETE FROM audit_personal", "DELETE FROM audit_anchor")
    await tampered(database, "UPDATE counter SET value = 0 WHERE name = 'audit'")
    yield database
    await database.close()


def plane_on(database: Database, folder: Path, *, key: str = KEY, sink: bool = True, **settings: Any) -> Plane:
    """What the trail's functions need of a control plane; `folder` is the sink."""
    settings = {"audit_sink": folder.as_uri() if sink else "", **settings}
    chosen = Settings(database.url, folder, folder, **settings)
    return Plane(
        chosen,
        SecretFolder(b"pepper", b"page key", {}, audit_keys=(key,) if key else ()),
        database,
        "org_1",
        "USD",
        open_content(chosen),
    )


async def tampered(database: Database, *statements: str, **values: Any) -> None:
    """What the database's owner does behind the back of the control plane."""
    async with unit_of_work(database) as session:
        connection = await session.connection()
        for statement in statements:
            await connection.execute(text(statement), values)


async def written(database: Database, count: int, actor: str = "person:1", **more: Any) -> None:
    """Events of `actor`, one transaction each."""
    for number in range(count):
        begin_request("", "192.0.2.7")
        async with unit_of_work(database) as session:
            record_trace(session, Trace(actor, "keys.create", f"key_{number}", **more))
        begin_request("")


async def written_by_the_release_before(database: Database) -> None:
    """Event 1, of format 1, by a release that knows none of the newer columns."""
    event = {**OF_FORMAT_1, "hash": hash_of(OF_FORMAT_1)}
    names = ", ".join(event)
    literals = [_literal(value) for value in event.values()]
    literals[list(event).index("at")] = f"'2026-11-01 08:00:00.000001{'' if database.is_sqlite else '+00'}'"
    await tampered(
        database,
        f"INSERT INTO audit_event ({names}) VALUES ({', '.join(literals)})",
        "UPDATE counter SET value = 1 WHERE name = 'audit'",
    )


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    found = canonical(value).decode() if isinstance(value, Mapping) else str(value)
    return "'" + found.replace(":", "\\:") + "'"
