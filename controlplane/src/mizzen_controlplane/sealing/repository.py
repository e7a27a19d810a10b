"""Statements over every column that holds envelopes, whichever domain's it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, LargeBinary, MetaData, and_, func, literal, select, type_coerce, update
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.columns import SealedBytes
from mizzen_controlplane.kit.envelopes import FORM, MARK


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of envelopes."""

    column: Column[Any]

    @property
    def name(self) -> str:
        """Such as `webhook.secret`."""
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def mark(self) -> Any:
        """SQL: which key-encryption key an envelope is of."""
        return func.substr(type_coerce(self.column, LargeBinary), len(FORM) + 1, MARK, type_=LargeBinary())


def sealed_columns(metadata: MetaData) -> Iterator[SealedColumn]:
    """All columns of envelopes."""
    for table in metadata.sorted_tables:
        yield from (SealedColumn(column) for column in table.columns if isinstance(column.type, SealedBytes))


async def envelopes_by_mark(session: AsyncSession, sealed: SealedColumn) -> dict[bytes, int]:
    """Mark of a key -> envelopes that it wraps."""
    counted = select(sealed.mark.label("mark"), func.count()).where(sealed.column.is_not(None)).group_by("mark")
    connection = await session.connection()
    return {bytes(mark): count for mark, count in (await connection.execute(counted)).all()}


async def envelopes_of_others(
    session: AsyncSession, sealed: SealedColumn, present: bytes, limit: int
) -> list[tuple[Any, ...]]:
    """Primary key, envelope of up to `limit` rows that a key other than `present` wraps."""
    keys = sealed.column.table.primary_key.columns
    others = and_(sealed.column.is_not(None), sealed.mark != literal(present, LargeBinary()))
    connection = await session.connection()
    found = await connection.execute(select(*keys, sealed.column).where(others).limit(limit))
    return [tuple(row) for row in found.all()]


async def replace_envelope(session: AsyncSession, sealed: SealedColumn, row: tuple[Any, ...], envelope: bytes) -> bool:
    """Put `envelope` in the place of the row's; False where somebody has set another secret meanwhile."""
    *key, before = row
    table = sealed.column.table
    here = and_(*(column == value for column, value in zip(table.primary_key.columns, key, strict=True)))
    changed = await session.exec(
        update(table).where(here, sealed.column == before).values({sealed.column.name: envelope})
        .returning(*table.primary_key.columns)
    )  # fmt: skip
    return changed.first() is not None
