"""How is a credential shown? To the host that it was stored for; every other one, after a redirect too, sees none."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.imports.credentials.models import ImportCredential
from mizzen_controlplane.imports.credentials.place import place_of
from mizzen_controlplane.imports.credentials.repository import find_credential
from mizzen_controlplane.imports.credentials.schemas import CredentialKind
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Invalid, NotFound

PURPOSE: Final = "import-credential"


@dataclass(frozen=True, slots=True)
class Shown:
    """A credential that was opened."""

    host: str
    kind: CredentialKind
    username: str = field(repr=False)
    secret: str = field(repr=False)

    def headers(self, url: str) -> Mapping[str, str]:
        """What a request to `url` carries of it; raises nothing."""
        if place_of(url) != self.host:
            return {}
        if self.kind == CredentialKind.ACCESS_KEY:
            return {}
        if self.kind == CredentialKind.BASIC:
            pair = b64encode(f"{self.username}:{self.secret}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {"Authorization": f"Bearer {self.secret}"}


async def sealed(plane: Plane, credential_id: str, username: str, secret: str) -> bytes:
    """The envelope of both; raises Unavailable where there is no sealing key."""
    return await plane.envelopes.seal(PURPOSE, credential_id, orjson.dumps({"username": username, "secret": secret}))


async def opened(plane: Plane, project_id: str, credential_id: str) -> Shown:
    """The credential as it is now; raises Invalid where it was deleted, Unavailable where its key is gone."""
    async with reading(plane.database) as session:
        row = await find_credential(session, project_id, credential_id)
    if row is None:
        raise Invalid("The credential that the import names was deleted.", code="credential_deleted")
    return Shown(row.host, CredentialKind(row.kind), **orjson.loads(await plane.envelopes.open(PURPOSE, row.id,
                 row.sealed)))  # fmt: skip


async def credential_or_404(
    session: AsyncSession, project_id: str, ref: str, *, lock: bool = False
) -> ImportCredential:
    """One of a project; raises NotFound."""
    row = await find_credential(session, project_id, ref, lock=lock)
    if row is None:
        raise NotFound(f"The project has no import credential {ref[:64]!r}.", code="credential_not_found")
    return row
