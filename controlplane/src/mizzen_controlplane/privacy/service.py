"""How is a person erased? Everything that tells who it was goes, in one transaction; what was done and owed stays."""

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.audit.repository import knows_of
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.erasure import ERASERS
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound


async def erase_person(plane: Plane, subject: Subject, person: str) -> dict[str, int]:
    """Erase `person`, an id; what was erased, by kind. Raises NotFound where nothing tells of such a person."""
    async with unit_of_work(plane.database) as session:
        known = await knows_of(session, person)
        erased = {what: await eraser(session, person) for what, eraser in ERASERS.items()}
        if not known and not any(erased.values()):
            raise NotFound(f"There is no person {person}.", code="person_not_found")
        record(session, subject, "persons.erase", person, after={"erased": erased})
    return erased
