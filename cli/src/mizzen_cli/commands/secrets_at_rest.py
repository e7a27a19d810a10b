"""`mizzen secrets`: the keys that seal what the installation stores of others' secrets."""

from pathlib import Path

import typer

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.context import Context
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.output import Column, Format, Output, column, show
from mizzen_cli.session import current_context, session

app = typer.Typer(help="Keys that seal stored secrets, such as those of webhooks and imports.", no_args_is_help=True)

COLUMNS = (
    column("KEY"),
    Column("USE", lambda row: "seals" if row["present"] else "opens" if row["held"] else "MISSING"),
    column("SECRETS"),
)


@app.command("keys")
def keys(output: Output = Format.TABLE) -> None:
    """List the keys, and how many stored secrets hang on each."""
    with session() as api:
        show(api.get("/api/v1/sealing-keys")["items"], COLUMNS, output, name="key")


@app.command("rotate")
def rotate(output: Output = Format.TABLE) -> None:
    """Make a new key on this machine, and have every stored secret hang on it; nothing stops meanwhile.

    The key before stays in the file, for opening, until the next rotation. Example: mizzen secrets rotate
    """
    from mizzen_cli.local.sealing_key import put_new_key_first  # it loads the control plane's rules, as no other does

    context = current_context()
    path = _key_file(context)
    with ApiClient(context) as api:
        put_new_key_first(path, {row["key"] for row in _needed(api)})
        _rewrap(api, output)


@app.command("rewrap")
def rewrap(output: Output = Format.TABLE) -> None:
    """Have every stored secret hang on the present key, after the file was changed by hand. Safe at any time."""
    with session() as api:
        _rewrap(api, output)


def _needed(api: ApiClient) -> list[Json]:
    """Keys that must stay in the file."""
    found: list[Json] = api.get("/api/v1/sealing-keys")["items"]
    return [row for row in found if row["present"] or row["secrets"]]


def _rewrap(api: ApiClient, output: Format) -> None:
    show(api.post("/api/v1/sealing-keys:rewrap")["items"], COLUMNS, output, name="key")


def _key_file(context: Context) -> Path:
    path = Path(context.data_dir) / "secrets" / "sealing-key" if context.data_dir else None
    if path is None or not path.exists():
        raise CommandError(
            "This machine does not hold the installation's file sealing-key. In a cluster, put a new key into the "
            "Secret as its first line; docs/how-to/secrets-at-rest.md says in which order.",
            ExitCode.USAGE,
        )
    return path
