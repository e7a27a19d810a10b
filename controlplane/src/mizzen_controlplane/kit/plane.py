"""What an endpoint needs of its process: settings, secrets, the database. One object, made at start."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends, Request

from mizzen_controlplane.kit.content_store import ContentStore
from mizzen_controlplane.kit.database import Database
from mizzen_controlplane.kit.envelopes import Envelopes, KeyFile
from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.place import Place, Reach
from mizzen_controlplane.kit.secret_folder import SEALING_KEY, SecretFolder
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.kit.subject import Reviewer, Subject

if TYPE_CHECKING:  # one machine has no API server and need not load its client
    from mizzen_kube.api import Api

Recognizer = Callable[["Plane", Request], Awaitable[Subject | None]]
"""Who knows a kind of caller: the subject of a request, None for one that it does not know."""


class Authority(Protocol):
    """Who decides what people and service accounts may do."""

    async def admit(self, plane: "Plane", subject: Subject, permission: Permission, asked: Place) -> None:
        """Let the caller pass; raises Forbidden or Hidden."""
        ...

    async def reach(self, plane: "Plane", subject: Subject, permission: Permission) -> Reach:
        """In which projects the caller may do it."""
        ...

    async def held(self, plane: "Plane", subject: Subject, place: Place) -> frozenset[Permission]:
        """All that the caller may do there."""
        ...


@dataclass(frozen=True, slots=True)
class Plane:
    """One running control plane."""

    settings: Settings
    secrets: SecretFolder
    database: Database
    organization_id: str
    """The organization that this installation serves."""
    currency: str
    """Its ISO 4217 code."""
    content: ContentStore
    """What keeps the artifacts."""
    reviewer: Reviewer | None = None
    """In a cluster: who knows the service accounts' tokens."""
    cluster: "Api | None" = None
    """In a cluster: the API server that keeps the objects; None where the database does."""
    recognizers: tuple[Recognizer, ...] = ()
    """The domains' own, asked in turn."""
    authority: Authority | None = None
    """Who is asked what the tokens of programs do not say; without one, they say all."""
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What domains keep in memory for the life of the process, by a name of theirs."""

    @property
    def envelopes(self) -> Envelopes:
        """What seals and opens secrets that must be read again."""
        return Envelopes(KeyFile(self.settings.sealing_key_file or self.settings.secrets_dir / SEALING_KEY))


def plane_of(request: Request) -> Plane:
    """The plane that serves `request`."""
    plane: Plane = request.app.state.plane
    return plane


ThePlane = Annotated[Plane, Depends(plane_of)]
"""The plane, for an endpoint's signature."""
