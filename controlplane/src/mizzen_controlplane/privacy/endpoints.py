"""Routes of people's data."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict

from mizzen_controlplane.audit import erasing  # noqa: F401 - registers what the audit trail forgets
from mizzen_controlplane.kit.auth import Admin
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.privacy import service

router = api_router("privacy")


class Erasure(BaseModel):
    """What was erased of a person."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    person: str
    """Id, which stays where it stands in events and invoices and leads to nobody any more."""
    erased: dict[str, int]
    """Rows that held something, by kind."""


@router.post("/api/v1/persons/{person}:erase")
async def erase_person(
    plane: ThePlane, subject: Admin, person: Annotated[str, Path(pattern=r"^[a-z0-9_.-]{1,64}$")]
) -> Erasure:
    """Erase a person for good: name, e-mail address and network addresses, also from the audit trail's texts."""
    return Erasure(person=person, erased=await service.erase_person(plane, subject, person))
