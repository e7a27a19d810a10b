"""Persons, sessions and signing in, on the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mizzen_controlplane.kit.wire import Body, Labels, Resource, example
from mizzen_controlplane.sign_in.sessions import Kind

Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class View(BaseModel):
    """Something that is read."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)


class PasswordSignIn(Body):
    """How somebody signs in to a local account."""

    model_config = example(
        {
            "username": "admin",
            "password": "the-one-time-password",
            "kind": "COMMAND_LINE",
        }
    )

    username: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the account; capital letters do not count."""
    password: Password
    """Its password, or the one-time password."""
    new_password: Password | None = None
    """The password from now on; needed with a one-time password. At least 12 characters."""
    kind: Kind = Kind.BROWSER
    """BROWSER: the answer sets a cookie. COMMAND_LINE: it holds a token."""


class SignedIn(View):
    """A session that has begun."""

    session_id: str
    """ses_..."""
    principal: str
    """person:per_..."""
    name: str
    """Display name."""
    expires_at: datetime
    """When it ends at the latest."""
    csrf_token: str | None = None
    """For the header X-CSRF-Token of writes, in a browser."""
    gateway_url: str
    """Where models are called."""
    token: str | None = None
    """For the Authorization header, of the command line. Shown this once, stored nowhere."""


class TokenExchange(Body):
    """What the command line got at the provider."""

    model_config = example({"id_token": "eyJ.of.the-provider"})

    id_token: Annotated[SecretStr, Field(min_length=1, max_length=16_384)]
    """Made for the provider's `device_client_id`; good for one session."""
    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=16_384)] | None = None
    """What the control plane asks the provider with, every few minutes, whether the person still may."""


class PasswordChange(Body):
    """How one changes one's password."""

    model_config = example(
        {
            "password": "the-one-time-password",
            "new_password": "seven-words-that-nobody-else-would-say",
        }
    )

    password: Password
    """The present one."""
    new_password: Password
    """The password from now on; at least 12 characters."""


class Me(View):
    """Who calls."""

    principal: str
    """`person:<id>`, `service-account:<id>` or `program:admin`: what role bindings name."""
    name: str
    """Display name."""
    email: str
    """As the provider says; empty where it does not."""
    groups: list[str]
    """As the provider said last."""
    permissions: list[str]
    """What the caller may do in the whole organization, where roles of projects come on top; a service account: in its
    project."""
    session_id: str
    """Session that the request came by; empty for a token that is none."""
    csrf_token: str | None
    """For the header X-CSRF-Token of writes, where the request came by cookie."""


class SessionView(View):
    """Somewhere that one is signed in."""

    id: str
    """ses_..."""
    kind: Kind
    """BROWSER or COMMAND_LINE."""
    provider: str
    """Name of the way of signing in; `local` for a password."""
    created_at: datetime
    """When it began, UTC."""
    used_at: datetime
    """Last use, give or take a minute, UTC."""
    expires_at: datetime
    """When it ends at the latest, UTC."""
    address: str
    """Where it began from."""
    agent: str
    """What the program that signed in calls itself."""
    current: bool
    """The request came by it."""


class PersonView(Resource):
    """A human being. `name` is for display, and need not be unique."""

    issuer: str
    """URL of the OpenID provider; `local` for an account of this installation."""
    subject: str
    """What the issuer knows the person by."""
    email: str
    """As the provider says."""
    groups: list[str]
    """As the provider said last."""
    disabled: bool
    """Nobody signs in as this person."""


class PersonPatch(Body):
    """What of a person may change here; the rest is the provider's."""

    model_config = example({"disabled": True})

    disabled: bool | None = None
    """Nobody signs in as this person; the sessions that there are end."""
    labels: Labels | None = None
    """The caller's own."""


class OneTimePassword(View):
    """A new password that works once, to set one's own."""

    password: str
    """Shown this once, stored nowhere."""


class WayToSignIn(View):
    """One way to sign in."""

    name: str
    """What paths call it."""
    title: str
    """For a button."""
    kind: Literal["password", "openid"]
    """By a password of this installation, or at an OpenID provider."""
    browser: bool
    """Whether a browser can sign in by it: with a password, or at /auth/providers/{name}/start."""
    device: bool
    """Whether the command line can sign in by it with a code."""
    issuer: str = ""
    """URL of the provider."""
    device_client_id: str = ""
    """Who the command line is there."""
    scopes: list[str] = []
    """What the command line asks for there."""


class WaysToSignIn(View):
    """All ways to sign in."""

    items: list[WayToSignIn]
    """In the order of the settings; the local accounts last."""
