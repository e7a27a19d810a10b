"""`mizzen backup` and `mizzen restore`: an installation on this machine in one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from mizzen_cli.commands.installation import DataDir, data_dir_of
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.backup import Contents, back_up
from mizzen_cli.local.data_folder import open_data_folder
from mizzen_cli.local.restoring import restore as restore_from
from mizzen_cli.output import Format, Output, tell


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data_dir: DataDir = None,
    output: Output = Format.TABLE,
) -> None:
    """Save the installation of this machine to a file, while it runs: database, secrets and artifacts.

    The file opens everything that the installation holds; only you can read it. Example: mizzen backup monday.tar
    """
    root = data_dir_of(data_dir)
    folder = open_data_folder(root)
    if folder is None:
        raise CommandError(f"No data folder {root}. Start with `mizzen up`.", ExitCode.NOT_FOUND)
    contents = back_up(folder, file.absolute())
    text = f"{file}: {len(contents.files)} files, {file.stat().st_size} bytes. It holds all secrets: keep it as such."
    tell(text, _facts(contents, file, root), output, name="file")


def restore(
    file: Annotated[Path, typer.Argument(help="What `mizzen backup` has written.", exists=True)],
    data_dir: DataDir = None,
    force: Annotated[bool, typer.Option(help="Put an installation that is there aside, under another name.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Make the data folder what it was when the backup was made; then `mizzen up`.

    Example: mizzen restore monday.tar
    """
    root = data_dir_of(data_dir)
    contents, aside = restore_from(file, root, force=force)
    moved = f" What was there is in {aside} now." if aside else ""
    text = f"{root} is as of {contents.made_at}.{moved}\nNext: `mizzen up`."
    tell(text, {**_facts(contents, file, root), "aside": str(aside or "")}, output, name="data_dir")


def _facts(contents: Contents, file: Path, root: Path) -> dict[str, object]:
    return {
        "file": str(file),
        "data_dir": str(root),
        "made_at": contents.made_at,
        "files": len(contents.files),
        "mizzen": contents.mizzen,
        "schema": contents.schema,
    }
