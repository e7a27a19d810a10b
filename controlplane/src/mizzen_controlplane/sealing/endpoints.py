"""Routes of the keys that seal stored secrets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict

from mizzen_controlplane.kit.auth import Admin, Subject
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.plane import Plane, ThePlane
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.sealing import service

router = api_router("sealing-keys")
ITSELF = Subject("system", frozenset())


class SealingKey(BaseModel):
    """A key that wraps the keys of stored secrets."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    key: str
    """What tells it apart: the first 4 bytes of a SHA-256, as hexadecimal digits."""
    present: bool
    """New secrets are sealed with it."""
    held: bool
    """The control plane has it; where not, what it sealed cannot be opened."""
    secrets: int
    """Stored secrets that hang on it; a key that is not present and has 0 can be removed."""


class SealingKeys(BaseModel):
    """All keys that are held or needed."""

    items: list[SealingKey]


class Rewrapped(SealingKeys):
    """What was done, and how things stand now."""

    rewrapped: int
    """Secrets that hang on the present key now and did not before."""


@router.get("/api/v1/sealing-keys")
async def list_sealing_keys(plane: ThePlane, _subject: Admin) -> SealingKeys:
    """List the keys that seal stored secrets, and how many secrets hang on each."""
    return SealingKeys(items=await _keys(plane))


@router.post("/api/v1/sealing-keys:rewrap")
async def rewrap_sealed_secrets(plane: ThePlane, subject: Admin) -> Rewrapped:
    """Have all stored secrets hang on the present key; they can be read all the while."""
    rewrapped = await service.rewrap(plane, subject)
    return Rewrapped(rewrapped=rewrapped, items=await _keys(plane))


@asynccontextmanager
async def sealed_anew(plane: Plane) -> AsyncIterator[None]:
    """At start, what earlier keys sealed is wrapped by the present one."""
    async with in_background(service.rewrap_at_start(plane, ITSELF), "sealing"):
        yield


async def _keys(plane: Plane) -> list[SealingKey]:
    uses = await service.uses_of_keys(plane)
    return [SealingKey(key=use.key, present=use.present, held=use.held, secrets=use.secrets) for use in uses]
