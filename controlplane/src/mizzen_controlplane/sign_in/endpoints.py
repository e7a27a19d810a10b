"""Routes of oneself, one's sessions, and persons."""

from typing import Annotated

from fastapi import Path, Request, Response

from mizzen_controlplane.kit.auth import Admin, Person
from mizzen_controlplane.kit.cookie_session import csrf_token, session_cookie
from mizzen_controlplane.kit.etag import IfMatch
from mizzen_controlplane.kit.pages import AskedPage, Page
from mizzen_controlplane.kit.place import Place
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.request_context import current_address
from mizzen_controlplane.kit.routing import api_router
from mizzen_controlplane.kit.wire import resource_fields, with_etag
from mizzen_controlplane.sign_in import (
    erasing,  # noqa: F401 - registers what is forgotten of an erased person
    local_accounts,
    persons,
    sessions,
)
from mizzen_controlplane.sign_in import models as tables
from mizzen_controlplane.sign_in.schemas import (
    Me,
    OneTimePassword,
    PasswordChange,
    PersonPatch,
    PersonView,
    SessionView,
)

router = api_router("sign-in")
PERSON = "/api/v1/persons/{person}"
PersonRef = Annotated[str, Path(max_length=64, description="Id of the person.")]
SessionRef = Annotated[str, Path(max_length=64, description="Id of the session.")]


@router.get("/api/v1/me")
async def who_am_i(plane: ThePlane, subject: Person, request: Request) -> Me:
    """Say who calls, and what they may do."""
    person_id, cookie = sessions.person_id_of(subject), session_cookie(request)
    person = await persons.get(plane, person_id) if person_id else None
    permissions = subject.permissions
    if plane.authority is not None and not subject.is_program:
        permissions = await plane.authority.held(plane, subject, Place(subject.project_id))
    return Me(
        principal=subject.principal,
        name=person.name if person is not None else subject.name,
        email=person.email if person is not None else "",
        groups=sorted(subject.groups),
        permissions=sorted(permissions),
        session_id=subject.session_id,
        csrf_token=csrf_token(plane.secrets.page_key, cookie) if cookie else None,
    )


@router.post("/api/v1/me:changePassword", status_code=204)
async def change_my_password(body: PasswordChange, plane: ThePlane, subject: Person) -> None:
    """Change one's password, where one has a local account; one's other sessions end."""
    before, after = body.password.get_secret_value(), body.new_password.get_secret_value()
    await local_accounts.change_password(plane, subject, before, after, current_address())


@router.get("/api/v1/sessions")
async def list_my_sessions(plane: ThePlane, subject: Person, asked: AskedPage) -> Page[SessionView]:
    """List where one is signed in."""
    rows, token = await sessions.page(plane, subject, asked)
    items = [SessionView.model_validate({**row.model_dump(), "current": row.id == subject.session_id}) for row in rows]
    return Page(items=items, next_page_token=token)


@router.delete("/api/v1/sessions/{session}", status_code=204)
async def end_my_session(session: SessionRef, plane: ThePlane, subject: Person) -> None:
    """End one of one's sessions; it opens nothing from then on."""
    await sessions.end(plane, subject, session)


@router.get("/api/v1/persons")
async def list_persons(plane: ThePlane, _subject: Admin, asked: AskedPage) -> Page[PersonView]:
    """List everybody who has signed in."""
    rows, token = await persons.page(plane, asked)
    return Page(items=[_view(row) for row in rows], next_page_token=token)


@router.get(PERSON)
async def get_person(person: PersonRef, plane: ThePlane, _subject: Admin, response: Response) -> PersonView:
    """Read a person."""
    found = await persons.get(plane, person)
    with_etag(response, found)
    return _view(found)


@router.patch(PERSON)
async def change_person(
    person: PersonRef, body: PersonPatch, plane: ThePlane, subject: Admin, if_match: IfMatch, response: Response
) -> PersonView:
    """Disable or enable a person, or change labels; one who is disabled is signed out everywhere."""
    changed = await persons.change(plane, subject, person, body, if_match)
    with_etag(response, changed)
    return _view(changed)


@router.post(PERSON + ":signOut", status_code=204)
async def sign_person_out(person: PersonRef, plane: ThePlane, subject: Admin) -> None:
    """End all sessions of a person."""
    await persons.sign_out(plane, subject, person)


@router.post(PERSON + ":resetPassword")
async def reset_password(person: PersonRef, plane: ThePlane, subject: Admin) -> OneTimePassword:
    """Give a local account a new one-time password, and end its sessions."""
    return OneTimePassword(password=await local_accounts.reset_password(plane, subject, person))


def _view(row: tables.Person) -> PersonView:
    fields = row.model_dump(include={"issuer", "subject", "email", "groups", "disabled"})
    return PersonView.model_validate({**resource_fields(row), **fields})
