"""How does an installation change its key-encryption key? The new one wraps at once; what others wrap follows here."""

from collections import Counter
from dataclasses import dataclass

import structlog
from sqlalchemy import MetaData
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.kit.settings import SettingsError
from mizzen_controlplane.sealing.repository import (
    SealedColumn,
    envelopes_by_mark,
    envelopes_of_others,
    replace_envelope,
    sealed_columns,
)

AT_ONCE = 200
"""Envelopes that one transaction wraps anew."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key-encryption key, and how much hangs on it."""

    key: str
    """Its mark, as hexadecimal digits; the key itself is told to nobody."""
    present: bool
    """New secrets are sealed with it."""
    held: bool
    """It is in the file: what it sealed can be opened."""
    secrets: int


async def uses_of_keys(plane: Plane, metadata: MetaData = SQLModel.metadata) -> list[KeyUse]:
    """Every key that is held, or that a stored secret hangs on; the present one first. Raises Unavailable."""
    held = await plane.envelopes.marks()
    counted: Counter[bytes] = Counter(dict.fromkeys(held, 0))
    async with reading(plane.database) as session:
        for sealed in sealed_columns(metadata):
            counted.update(await envelopes_by_mark(session, sealed))
    return [KeyUse(mark.hex(), mark == held[0], mark in held, count) for mark, count in counted.items()]


async def rewrap(plane: Plane, subject: Subject, metadata: MetaData = SQLModel.metadata) -> int:
    """Wrap by the present key what others wrap; the number of secrets. Raises Unavailable where a key is gone.

    Safe at any time and on several replicas at once: a secret that is set meanwhile is left as it was set.
    """
    present = (await plane.envelopes.marks())[0]
    done = 0
    for sealed in sealed_columns(metadata):
        while count := await _rewrap_some(plane, subject, sealed, present):
            done += count
    return done


async def rewrap_at_start(plane: Plane, subject: Subject) -> None:
    """After a restart with a new key, nobody has to ask; what cannot be done now is told by `uses_of_keys`."""
    try:
        if done := await rewrap(plane, subject):
            log.info("stored secrets are sealed with the present key", secrets=done)
    except (Problem, SettingsError, SQLAlchemyError, OSError) as error:
        log.warning("stored secrets were not sealed with the present key", reason=str(error))


async def _rewrap_some(plane: Plane, subject: Subject, sealed: SealedColumn, present: bytes) -> int:
    async with reading(plane.database) as session:
        rows = await envelopes_of_others(session, sealed, present, AT_ONCE)
    if not rows:
        return 0
    anew = [(row, await plane.envelopes.rewrapped(row[-1])) for row in rows]
    async with unit_of_work(plane.database) as session:
        count = sum([await replace_envelope(session, sealed, row, envelope) for row, envelope in anew])
        record(session, subject, "sealed-values.rewrap", sealed.name, after={"key": present.hex(), "rewrapped": count})
    return len(rows)
