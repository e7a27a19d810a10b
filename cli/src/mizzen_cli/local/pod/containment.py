"""Does a path that a manifest names stay in its folder? Asked of every claim, volume, subPath and mapped value."""

import os
from pathlib import Path, PurePath

from mizzen_cli.local.pod.manifest import ManifestError


def below(folder: Path, part: str | PurePath, named: str) -> Path:
    """`folder / part`, without `..`; `named` says for people what the part is. Raises ManifestError where it leaves.

    Only the names are looked at: a link inside the folder is followed, as whoever owns the machine put it there.
    """
    path = Path(os.path.normpath(folder / part))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise ManifestError(f"{named} {str(part)!r} leaves its folder; take `..` and a leading `/` out of it")
    return path


def one_name(part: str, named: str) -> str:
    """The part, where it is the name of one folder. Raises ManifestError for anything else."""
    if part in {"", ".", ".."} or "/" in part or "\0" in part:
        raise ManifestError(f"{named} {part!r} is no folder's name; use letters, digits and `-`")
    return part
