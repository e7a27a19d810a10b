"""Whose is a limit or a budget? Of one that a Project object declares, the object's alone: the API leaves it be."""

from typing import Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.limits.models import DECLARED
from mizzen_controlplane.limits.repository import find_declaration


class Entry(Protocol):
    """A limit or a budget."""

    name: str
    parent_id: str
    owner: str


async def take_up(session: AsyncSession, entry: Entry, field: str) -> None:
    """Say that the API changes the entry; raises Conflict while a Project object declares it in spec.`field`.

    Once that object is gone its entries stay in force, and are anybody's to change.
    """
    if entry.owner == DECLARED:
        await require_undeclared(session, entry.parent_id, repr(entry.name), field)
        entry.owner = ""


async def require_made_here(session: AsyncSession, project_id: str, what: str, field: str) -> None:
    """Raises Conflict where people wrote the project's object: all that it can say is the object's to say."""
    found = await find_declaration(session, project_id)
    if found is not None and found.made_here is False:
        raise _managed_by_object(what, field)


async def require_undeclared(session: AsyncSession, project_id: str, what: str, field: str) -> None:
    """Raises Conflict while the project has an object that people wrote, which owns what it declares."""
    if await find_declaration(session, project_id) is not None:
        raise _managed_by_object(what, field)


def _managed_by_object(what: str, field: str) -> Conflict:
    return Conflict(
        f"{what} is declared by the project's object in the cluster, which owns it: change spec.{field} of "
        "the Project there (`kubectl edit projects.mizzen.dev NAME`, or the file that it was applied from).",
        code="managed_by_project_object",
    )
