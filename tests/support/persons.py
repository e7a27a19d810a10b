"""People for tests: each signed in at the command line, without any role until a test binds one."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import open_database, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.sign_in.models import Person, SignInSession
from mizzen_controlplane.sign_in.session_secret import new_secret
from mizzen_controlplane.sign_in.sessions import Kind, digest_of
from support.controlplane import ControlPlane


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """A person with a session; close the client."""

    principal: str
    client: httpx.Client


def new_person(plane: ControlPlane, groups: Sequence[str] = ()) -> SignedInPerson:
    """As an OpenID provider would have brought somebody in; there is no route that makes people up."""
    secret, now = new_secret(), utc_now()
    person = Person(
        id=new_id("per"), name="Somebody", issuer="local", subject=secrets.token_hex(8), groups=list(groups)
    )
    session = SignInSession(
        id=new_id("ses"), digest=digest_of(secret), person_id=person.id, kind=Kind.COMMAND_LINE, provider="local",
        created_at=now, used_at=now, expires_at=now + timedelta(hours=1),
    )  # fmt: skip

    async def write() -> None:
        database = open_database(plane.database_url)
        async with unit_of_work(database) as work:
            work.add(person)
            await work.flush()
            work.add(session)
        await database.close()

    asyncio.run(write())
    headers = {"Authorization": f"Bearer {secret}"}
    client = httpx.Client(base_url=plane.url, headers=headers, trust_env=False, timeout=30, verify=plane.trusted)
    return SignedInPerson(f"person:{person.id}", client)


def bind(admin: httpx.Client, principal: str, role: str, project: str | None = None, **more: str) -> str:
    """Bind a role; returns the binding's id."""
    path = f"/api/v1/projects/{project}/bindings" if project else "/api/v1/bindings"
    made = admin.post(path, json={"principal": principal, "role": role, **more})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])
