"""`mizzen projects`: tenants, each with its own keys, models, limits and bill."""

from typing import Annotated

import typer

from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import session

app = typer.Typer(help="Projects: tenants with their own keys, models, limits and bills.", no_args_is_help=True)

COLUMNS = (
    column("NAME"),
    column("NAMESPACE"),
    column("ALLOWS-CODE", "allow_code"),
    Column("ARCHIVED", lambda row: age(row["archived_at"]) if row.get("archived_at") else "", spare=True),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
Name = Annotated[str, typer.Argument(help="Name of the project.")]
PATH = "/api/v1/projects"


@app.command("create")
def create(name: Name, output: Output = Format.TABLE) -> None:
    """Create a project; work in it with --project NAME or MIZZEN_PROJECT."""
    with session() as api:
        show_one(api.post(PATH, {"name": name}), COLUMNS, output)


@app.command("list")
def list_projects(
    archived: Annotated[bool, typer.Option("--archived", help="Those that are archived instead.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List the projects: mizzen projects list --archived."""
    with session() as api:
        show(api.items(PATH, archived=archived or None), COLUMNS, output)


@app.command("update")
def update(
    name: Name,
    allow_code: Annotated[
        bool, typer.Option("--allow-code/--refuse-code", help="Whether models that carry code may be served.")
    ],
    output: Output = Format.TABLE,
) -> None:
    """Say whether versions pushed from now on may carry code: a TritonRepository with model.py, or TorchScript.

    Such code runs on the server with the engine's rights: allow it only where you trust everyone who may push.
    """
    with session() as api:
        show_one(api.patch(f"{PATH}/{name}", {"allow_code": allow_code}), COLUMNS, output)


@app.command("archive")
def archive(name: Name, output: Output = Format.TABLE) -> None:
    """Archive a project without deployments: mizzen projects archive reviews. Its keys are refused; invoices stay."""
    with session() as api:
        api.delete(f"{PATH}/{name}")
    acknowledge(f"{name}: archived. `mizzen projects restore {name}` brings it back.", {"name": name}, output, "name")


@app.command("restore")
def restore(name: Name, output: Output = Format.TABLE) -> None:
    """Bring an archived project back as it was, keys included: mizzen projects restore reviews."""
    with session() as api:
        show_one(api.post(f"{PATH}/{name}:restore"), COLUMNS, output)
