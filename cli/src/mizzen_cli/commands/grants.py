"""`mizzen grants`: which models of other projects this project may call."""

from typing import Annotated

import typer

from mizzen_cli.output import Column, Format, Output, acknowledge, age, column, show, show_one
from mizzen_cli.session import Project, session

app = typer.Typer(help="Models of other projects that this project may call.", no_args_is_help=True)

COLUMNS = (
    column("MODEL"),
    column("PROJECT"),
    column("ID"),
    Column("AGE", lambda row: age(row.get("created_at"))),
)
Shared = Annotated[str, typer.Argument(help="The model, as owner-project/served-name.")]


@app.command("create")
def create(model: Shared, output: Output = Format.TABLE, project: Project = None) -> None:
    """Grant a model that its deployment offers to this project (access.visibility Shared, allowedProjects)."""
    with session(project) as api:
        show_one(api.post(api.path("grants"), {"model": model}), COLUMNS, output)


@app.command("list")
def list_grants(output: Output = Format.TABLE, project: Project = None) -> None:
    """List what the project was granted."""
    with session(project) as api:
        show(api.items(api.path("grants")), COLUMNS, output)


@app.command("delete")
def delete(
    model: Annotated[str, typer.Argument(help="The model, or the grant's id.")],
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Take a grant back: every gateway refuses the model within a second."""
    with session(project) as api:
        api.delete(api.path("grants", *model.split("/")))
    acknowledge(f"{model}: no longer granted.", {"model": model}, output, "model")
