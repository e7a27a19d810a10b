"""`mizzen login|logout|whoami|sessions`: who one is at the control plane, and where one is signed in."""

from dataclasses import replace
from typing import Annotated

import typer

from mizzen_cli.client import ApiClient, Json, refused
from mizzen_cli.context import Context, load_context, read_context, token_source, write_context
from mizzen_cli.device_flow import id_token_of
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import session
from mizzen_cli.typed_secret import typed_secret

sessions = typer.Typer(help="Where you are signed in.", no_args_is_help=True)
SESSION = "mzt_session_"
ME = (
    column("NAME"),
    column("PRINCIPAL"),
    column("GROUPS"),
    column("SIGNED-IN", "provider"),
    column("UNTIL", "expires_at"),
)
SESSIONS = (
    column("ID"),
    column("KIND"),
    column("PROVIDER"),
    column("ADDRESS"),
    Column("USED", lambda row: age(row.get("used_at"))),
    column("UNTIL", "expires_at"),
    Column("HERE", lambda row: bool(row.get("current"))),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    for command in (login, logout, whoami):
        app.command(command.__name__)(command)
    app.add_typer(sessions, name="sessions")


def login(
    url: Annotated[str | None, typer.Option(help="URL of the control plane; by default the context's.")] = None,
    provider: Annotated[str | None, typer.Option(help="Name of the provider, where there are several.")] = None,
    password: Annotated[bool, typer.Option("--password", help="By user name and password of a local account.")] = False,
    username: Annotated[str, typer.Option(help="Name of the local account.")] = "admin",
) -> None:
    """Sign in: mizzen login --url https://mizzen.example.com shows a code, which you confirm in any browser."""
    context = _context_to_sign_in(url)
    with ApiClient(replace(context, token="")) as api:
        way = _way(api.get("/auth/ways")["items"], "local" if password else provider)
        signed_in = _by_password(api, username) if way["kind"] == "password" else _by_device(api, way)
    kept = replace(
        context, token=str(signed_in["token"]), gateway_url=context.gateway_url or str(signed_in["gateway_url"])
    )
    path = write_context(kept)
    typer.echo(f"Signed in as {signed_in['name']} until {signed_in['expires_at']}; kept in {path}.")
    if token_source().startswith("the variable"):
        typer.echo("MIZZEN_TOKEN is set and is used instead: unset it.", err=True)


def logout() -> None:
    """Sign out here: the session ends at the control plane, and the context file forgets its token."""
    context = load_context()
    if not context.token.startswith(SESSION):
        raise CommandError(
            f"{token_source()} holds no session that could end, but a token of the installation.", ExitCode.USAGE
        )
    with ApiClient(context) as api:
        answer = api.exchange("POST", "/auth/sign-out")
    if answer.is_error and answer.status_code != 401:
        raise refused(answer)
    kept = read_context()
    if kept is not None and kept.token == context.token:
        write_context(replace(kept, token=""))
    typer.echo("Signed out." if not answer.is_error else "The session had ended already; its token is forgotten.")


def whoami(output: Output = Format.TABLE) -> None:
    """Say who you are to the control plane, by which provider, and until when."""
    with session() as api:
        me = api.get("/api/v1/me")
        current: Json = next((one for one in api.items("/api/v1/sessions") if one["current"]), {})
    show_one({"provider": "token", "expires_at": None, **current, **me}, ME, output, "principal")


@sessions.command("list")
def list_sessions(output: Output = Format.TABLE) -> None:
    """List where you are signed in."""
    with session() as api:
        show(api.items("/api/v1/sessions"), SESSIONS, output, "id")


@sessions.command("end")
def end_session(
    session_id: Annotated[str, typer.Argument(help="Id of the session, as `list` shows it.")],
    output: Output = Format.TABLE,
) -> None:
    """End one of your sessions; it opens nothing from then on."""
    with session() as api:
        api.delete(f"/api/v1/sessions/{session_id}")
    acknowledge(f"{session_id}: ended.", {"id": session_id}, output, "id")


def _context_to_sign_in(url: str | None) -> Context:
    """The present one, or a fresh one where another control plane is named."""
    known = read_context()
    if url is None:
        return load_context()
    url = url.rstrip("/")
    return known if known is not None and known.controlplane_url.rstrip("/") == url else Context(url, "")


def _way(ways: list[Json], wanted: str | None) -> Json:
    usable = [way for way in ways if way["device"] or way["kind"] == "password"]
    found = next((way for way in usable if wanted in (None, way["name"])), None)
    if found is None:
        names = ", ".join(way["name"] for way in usable)
        raise CommandError(f"Nobody signs in by {wanted!r} at the command line; there are: {names}.", ExitCode.USAGE)
    return found


def _by_device(api: ApiClient, way: Json) -> Json:
    tokens = id_token_of(way, _tell)
    body = {name: tokens[name] for name in ("id_token", "refresh_token") if tokens.get(name)}
    return api.post(f"/auth/providers/{way['name']}/exchange", body)


def _tell(code: Json) -> None:
    typer.echo(f"Open {code.get('verification_uri_complete') or code['verification_uri']}", err=True)
    typer.echo(f"and confirm the code {code['user_code']} there.", err=True)


def _by_password(api: ApiClient, username: str) -> Json:
    body = {"username": username, "password": typed_secret("Password"), "kind": "COMMAND_LINE"}
    answer = api.exchange("POST", "/auth/password", json=body)
    if answer.status_code == 403 and answer.json().get("code") == "password_change_needed":
        typer.echo("This password works once. Choose your own, of 12 characters or more.", err=True)
        answer = api.exchange(
            "POST", "/auth/password", json={**body, "new_password": typed_secret("New password", twice=True)}
        )
    if answer.is_error:
        raise refused(answer)
    found: Json = answer.json()
    return found
