"""`mizzen operations`: long work, such as imports: how far it is, and its end."""

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError
from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, shortened, show, show_one, size
from mizzen_cli.session import Project, session

app = typer.Typer(help="Long work: how far it is, and its end.", no_args_is_help=True)
Operation = Annotated[str, typer.Argument(help="Id of the operation.")]
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
POLL_SECONDS = 0.5
COLUMNS = (
    column("ID"),
    column("KIND"),
    column("TARGET"),
    column("STATE"),
    Column("DONE", lambda row: size(row["progress"].get("done_bytes"))),
    Column("STAGE", lambda row: shortened(row["progress"].get("stage") or "", 40), spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
    Column("REASON", lambda row: shortened(row.get("reason") or "", 60), spare=True),
)


@app.command("list")
def list_operations(output: Output = Format.TABLE, project: Project = None) -> None:
    """List the project's long work, newest first."""
    with session(project) as api:
        show(api.items(api.path("operations")), COLUMNS, output)


@app.command("show")
def show_operation(
    operation: Operation,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Show an operation; with --watch, exit code 1 where it does not succeed."""
    with session(project) as api:
        path = api.path("operations", operation)
        show_one(followed(api, path) if watch else api.get(path), COLUMNS, output, name="id")


@app.command("cancel")
def cancel(operation: Operation, output: Output = Format.TABLE, project: Project = None) -> None:
    """Ask for an operation's end; nothing of it stays."""
    with session(project) as api:
        asked = api.post(f"{api.path('operations', operation)}:cancel")
    acknowledge(f"{operation} ends.", asked, output)


def followed(api: ApiClient, path: str) -> Json:
    """The operation at its end, its progress shown meanwhile; raises CommandError where it does not succeed."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        while (seen := api.get(path))["state"] not in ENDED:
            far = seen["progress"]
            what = far["stage"] or seen["reason"] or seen["state"].lower()
            progress.update(task, description=what, completed=far["done_bytes"], total=far["total_bytes"])
            time.sleep(POLL_SECONDS)
    if seen["state"] != "SUCCEEDED":
        raise CommandError(f"{seen['id']} {seen['state']}: {seen['reason'] or 'somebody asked for its end.'}")
    return seen
