"""`mizzen models verify`: whether a version's content is still what was pushed."""

import time
from typing import Annotated, Final

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError
from mizzen_cli.output import Format, Output, acknowledge, size
from mizzen_cli.session import Project, session
from mizzen_cli.version_text import find_version

OfVersion = Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Version by number or alias; the newest.")]
GOES_ON: Final = ("QUEUED", "RUNNING")
LOOK_AGAIN_SECONDS: Final = 0.5


def verify(reference: OfVersion, output: Output = Format.TABLE, project: Project = None) -> None:
    """Have all files of a version read again and held to their digests. A changed one fails the version at once.

    Example: mizzen models verify fraud@champion
    """
    with session(project) as api:
        version = find_version(api, reference)
        path = api.path("models", version["model"], "versions", str(version["version"]))
        named = f"{version['model']}@{version['version']}"
        done = _ended(api, api.post(f"{path}:verify"))
    if done["state"] in ("FAILED", "CANCELLED"):
        raise CommandError(f"{named}: {done['reason'] or 'the verification was cancelled'}")
    files = len(version.get("files", []))
    acknowledge(f"{named}: {files} files, {size(version['size_bytes'])}, all as they were pushed.", done, output)


def _ended(api: ApiClient, operation: Json) -> Json:
    """Wait for its end, telling the stages; Ctrl-C leaves it going on."""
    told = ""
    while operation["state"] in GOES_ON:
        time.sleep(LOOK_AGAIN_SECONDS)
        operation = api.get(api.path("operations", operation["id"]))
        stage = operation["progress"]["stage"] or operation["reason"]
        if stage and stage != told:
            typer.echo(f"{stage} ...", err=True)
            told = stage
    return operation


def register(app: typer.Typer) -> None:
    """Add the commands to `mizzen models`."""
    app.command("verify")(verify)
