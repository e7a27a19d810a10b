"""A page of a model's versions reads a page, whatever it is filtered and ordered by: the plans of both databases."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from mizzen_controlplane.kit import pages
from mizzen_controlplane.kit.database import open_database, reading
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.models.models import ModelVersion
from mizzen_controlplane.models.repository import versions_of
from mizzen_controlplane.models.versions import FIELDS
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession
from support.controlplane import ControlPlane

KEY = b"key of page tokens"
FILTERS = ["", "state = READY", "format = onnx"]
RANGES = {"version": ["version >= 7"], "created_at": ['created_at > "2026-01-01T00:00:00Z"']}
"""What may be asked of the field that orders; a range of another one is looked for, row by row."""
ORDERS = [f"{field} {direction}" for field in FIELDS for direction in ("asc", "desc")]
WITHOUT_AN_INDEX = ("Seq Scan", "Sort", "SCAN", "USE TEMP B-TREE FOR ORDER BY")
ENDS_OF_EQUALS = ("Incremental Sort", "Sort Key", "Sort Method")
"""An order by number is settled by the number: what sorts each run of equals by id sorts one row at a time."""


async def asked_for(session: AsyncSession, question: PageQuery) -> tuple[str, Sequence[Any]]:
    """The last statement that a page sends, with its parameters."""
    sent: list[tuple[str, Sequence[Any]]] = []
    engine = (await session.connection()).sync_connection
    assert engine is not None

    def kept(_c: Any, _cursor: Any, statement: str, parameters: Sequence[Any], *_rest: Any) -> None:
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", kept)
    await page_of(session, versions_of("mdl_asked"), question, FIELDS, KEY, default_order="version desc")
    event.remove(engine, "before_cursor_execute", kept)
    return sent[-1]


async def plan(connection: AsyncConnection, statement: str, parameters: Sequence[Any], explain: str) -> list[str]:
    rows = await connection.exec_driver_sql(f"{explain} {statement}", tuple(parameters))
    return [str(row[-1]) for row in rows.fetchall()]


def read_in_order(steps: list[str]) -> bool:
    return not any(
        any(word in step for word in WITHOUT_AN_INDEX) and not any(word in step for word in ENDS_OF_EQUALS)
        for step in steps
    )


def entered_by_place(steps: list[str]) -> bool:
    """The rows before the page are not even looked at."""
    return any(("Index Cond" in step or "SEARCH" in step) and re.search("[<>]", step) for step in steps)


def token_after(question: PageQuery, row: ModelVersion) -> str:
    """As the page before would have given it."""
    name, descending = pages._order(question.order_by, FIELDS)
    column: Any = FIELDS[name]
    purpose = f"\n{name}\n{descending}\n{question.filter}"
    return pages._signed([getattr(row, column.key), row.id], purpose, KEY)


@pytest.mark.parametrize("order", ORDERS)
async def test_every_page_is_read_from_an_index(controlplane: ControlPlane, order: str) -> None:
    database = open_database(controlplane.database_url)
    row = ModelVersion.model_validate(
        {
            "id": "mv_seen", "name": "7", "project_id": "p", "model_id": "mdl_asked", "number": 7, "format": "onnx",
            "state": "READY", "digest": "", "size_bytes": 1,
        }
    )  # fmt: skip
    wrong: list[str] = []
    try:
        async with reading(database) as session:
            connection = await session.connection()
            explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            if not database.is_sqlite:  # tables of tests are small enough to be read whole
                for choice in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
                    await connection.execute(text(f"SET LOCAL {choice} = off"))
            for chosen in FILTERS + RANGES.get(order.split()[0], []):
                first = PageQuery(50, "", chosen, order)
                for question in (first, PageQuery(50, token_after(first, row), chosen, order)):
                    steps = await plan(connection, *await asked_for(session, question), explain)
                    if not read_in_order(steps) or (question.page_token and not entered_by_place(steps)):
                        wrong.append(f"{chosen or 'all'}, page {1 + bool(question.page_token)}: {steps}")
    finally:
        await database.close()
    assert not wrong, "\n".join(wrong)
