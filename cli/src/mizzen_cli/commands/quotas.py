"""`mizzen quotas`: what a project may keep and hold, and how much of it is used."""

import re
from typing import Annotated, Final

import typer

from mizzen_cli.client import Json
from mizzen_cli.output import Column, Format, Output, column, show, size, write
from mizzen_cli.session import Project, session

app = typer.Typer(help="Quotas: storage, deployments and accelerators that a project may have.", no_args_is_help=True)

COLUMNS = (column("QUOTA"), column("USED"), Column("OF", lambda row: row.get("of")))
UNITS: Final = {
    "": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
NO_BOUND: Final = "none"


@app.command("get")
def get(output: Output = Format.TABLE, project: Project = None) -> None:
    """Show the project's quotas and how much of each is used: `mizzen quotas get --project search`."""
    with session(project) as api:
        _show(api.get(api.path("quota")), output)


@app.command("set")
def set_quotas(
    storage: Annotated[
        str | None, typer.Option(help="Bytes of model content, such as 500GB or 2TiB; none for no bound.")
    ] = None,
    deployments: Annotated[str | None, typer.Option(help="Deployments at once; none for no bound.")] = None,
    accelerators: Annotated[
        list[str] | None,
        typer.Option(
            help="Accelerators of a class, as h100=4; several times for several. With any, other classes may not be "
            "used. They take the place of all that were set; none for no bound."
        ),
    ] = None,
    output: Output = Format.TABLE,
    project: Project = None,
) -> None:
    """Set quotas; one that is not named stays: `mizzen quotas set --storage 500GB --accelerators h100=4`.

    For platform administrators. A lower quota than what is used removes nothing: it refuses what is new.
    """
    changes = _changes(storage, deployments, accelerators)
    if not changes:
        raise typer.BadParameter("Give one of --storage, --deployments and --accelerators.")
    with session(project) as api:
        found = api.get(api.path("quota"))
        classes = [{name: one[name] for name in ("accelerator_class", "count")} for one in found["accelerators"]]
        kept = {name: found[name] for name in ("storage_bytes", "deployments")} | {"accelerators": classes}
        _show(api.request("PUT", api.path("quota"), json=kept | changes).json(), output)


def _changes(storage: str | None, deployments: str | None, accelerators: list[str] | None) -> Json:
    changes: Json = {}
    if storage is not None:
        changes["storage_bytes"] = None if storage == NO_BOUND else bytes_in(storage)
    if deployments is not None:
        changes["deployments"] = None if deployments == NO_BOUND else _count("--deployments", deployments)
    if accelerators:
        changes["accelerators"] = [] if accelerators == [NO_BOUND] else [_of_class(one) for one in accelerators]
    return changes


def bytes_in(text: str) -> int:
    """Bytes that 500GB, 1.5TiB or 1048576 mean; raises typer.BadParameter for what is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-zA-Z]*)", text)
    if found is None or found[2] not in UNITS:
        listed = ", ".join(filter(None, UNITS))
        raise typer.BadParameter(f"--storage {text}: write a number and one of {listed}, such as 500GB, or none.")
    return round(float(found[1]) * UNITS[found[2]])


def _of_class(text: str) -> Json:
    name, equals, count = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"--accelerators {text}: write CLASS=COUNT, such as h100=4, or none.")
    return {"accelerator_class": name, "count": _count("--accelerators", count)}


def _count(option: str, text: str) -> int:
    if not text.isdecimal():
        raise typer.BadParameter(f"{option} {text}: write a number, such as 4, or none.")
    return int(text)


def _show(quota: Json, output: Format) -> None:
    if output is not Format.TABLE:
        write(quota, output)
        return
    show(
        [
            _row("storage", size(quota["storage_bytes_used"]), size(quota["storage_bytes"])),
            _row("deployments", quota["deployments_used"], quota["deployments"]),
            *(_row(f"accelerators {one['accelerator_class']}", one["used"], one["count"]) for one in _classes(quota)),
        ],
        COLUMNS,
        output,
    )


def _classes(quota: Json) -> list[Json]:
    classes: list[Json] = quota["accelerators"]
    return classes


def _row(quota: str, used: object, of: object) -> Json:
    return {"quota": quota, "used": used, "of": "no bound" if of in (None, "") else of}
