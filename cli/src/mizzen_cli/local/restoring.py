"""How does a backup become a data folder again? Beside the place first, checked, then moved there at one stroke."""

import hashlib
import re
import shutil
import sqlite3
import tarfile
import uuid
from contextlib import closing
from pathlib import Path
from typing import Final

import orjson

from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.backup import DATABASE, FORM, LIST, Contents, checked
from mizzen_cli.local.data_folder import LAYOUT_VERSION, open_data_folder, refuse_foreign
from mizzen_cli.local.json_file import write_json
from mizzen_cli.local.lifecycle import any_alive, supervisor_alive
from mizzen_cli.local.supervisor_state import read_state

NAME: Final = re.compile(
    r"controlplane/mizzen\.db|secrets/[a-z][a-z-]*|controlplane/blobs/sha256/[0-9a-f]{2}/[0-9a-f]{64}"
)
"""All that a backup may bring; nothing else is ever written."""
_CHUNK = 1 << 20


def restore(source: Path, root: Path, *, force: bool) -> tuple[Contents, Path | None]:
    """Make `root` what it was when `source` was made; what the backup holds, and where the folder of before is now.

    Raises CommandError: a file that is no backup, damaged or of a newer Mizzen; a folder in use, or in the way.
    """
    in_the_way = _in_the_way(root, force)
    draft = root.with_name(f".{root.name}.restored-{uuid.uuid4().hex[:8]}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        contents = _unpacked(source, draft)
        write_json(draft / "mizzen.json", {"layout": LAYOUT_VERSION, "id": uuid.uuid4().hex})
        aside = root.with_name(f"{root.name}.before-{uuid.uuid4().hex[:8]}") if in_the_way else None
        if aside is not None:
            root.rename(aside)
        elif root.exists():
            root.rmdir()
        draft.rename(root)
    except OSError as error:
        raise CommandError(f"{source} was not restored ({error.strerror}: {error.filename})") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return contents, aside


def _in_the_way(root: Path, force: bool) -> bool:
    """A data folder is there and may be put aside."""
    folder = open_data_folder(root)
    if folder is None:
        refuse_foreign(root)
        return False
    state = read_state(folder)
    if supervisor_alive(state) or any_alive(state):
        raise CommandError(f"Mizzen runs in {root}. End it first: `mizzen down`.", ExitCode.USAGE)
    if not force:
        raise CommandError(
            f"{root} is in use by an installation. Restore to another place with --data-dir, or put it aside with "
            "--force: it is renamed, and nothing of it is removed.",
            ExitCode.USAGE,
        )
    return True


def _unpacked(source: Path, draft: Path) -> Contents:
    try:
        with tarfile.open(source, "r:") as archive:
            contents = _list_of(archive, source)
            members = {member.name: member for member in archive if member.name != LIST}
            if set(members) != set(contents.files):
                raise _damaged(source, "its list and its content differ")
            for name, member in members.items():
                _write(archive, member, draft / name, contents.files[name], source)
    except tarfile.TarError as error:
        raise _damaged(source, str(error)) from error
    with closing(sqlite3.connect(draft / DATABASE)) as connection:
        checked(connection, source)
    return contents


def _list_of(archive: tarfile.TarFile, source: Path) -> Contents:
    try:
        stream = archive.extractfile(LIST)
        contents = Contents(**orjson.loads(stream.read())) if stream is not None else None
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(source, "it has no list of its content") from error
    if contents is None or DATABASE not in contents.files:
        raise _damaged(source, "it has no database")
    if contents.form > FORM or contents.schema not in _known_schemas():
        raise CommandError(
            f"{source} was made by Mizzen {contents.mizzen} (tables {contents.schema}), which this Mizzen does not "
            "know. Restore it with that release, or a newer one.",
            ExitCode.USAGE,
        )
    return contents


def _known_schemas() -> set[str]:
    from mizzen_controlplane.schema import known_revisions  # it loads Alembic, which no other command needs

    return known_revisions()


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, sha256: str, source: Path) -> None:
    stream = archive.extractfile(member) if member.isreg() and NAME.fullmatch(member.name) else None
    if stream is None:
        raise _damaged(source, f"{member.name} does not belong into a backup")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with target.open("xb") as written:
        target.chmod(0o600)
        while part := stream.read(_CHUNK):
            digest.update(part)
            written.write(part)
    if digest.hexdigest() != sha256:
        raise _damaged(source, f"{member.name} is not what was saved")


def _damaged(source: Path, reason: str) -> CommandError:
    return CommandError(f"{source} is no whole backup: {reason}. Nothing was restored; take another copy of it.")
