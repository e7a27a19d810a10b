"""A short way to a pod's temporary folder: the path of a socket may have 107 characters, and data folders lie deep.

The short path is a link in a folder of the user's own below the system's temporary one; it goes with the pod's sandbox.
"""

import hashlib
import os
import tempfile
from pathlib import Path

SOCKET_PATH_BYTES = 107
"""What Linux takes (sun_path, less its end)."""
SOCKET_NAME_BYTES = 48
"""Room for the name that a program gives its socket: a UUID and a suffix."""


def short_folder(folder: Path, sandbox: Path) -> Path:
    """The folder itself where sockets fit below it, else a link to it that is made here.

    Raises:
        OSError: the link cannot be made, or somebody else owns its place.
    """
    if len(os.fsencode(folder)) + 1 + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES:
        return folder
    link = _link(sandbox)
    link.parent.mkdir(mode=0o700, exist_ok=True)
    if link.parent.is_symlink() or link.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{link.parent} belongs to somebody else; remove it, or set TMPDIR")
    if not (link.is_symlink() and link.readlink() == folder):
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    return link


def remove_short_folder(sandbox: Path) -> None:
    """Remove the link of a sandbox, if it had one."""
    _link(sandbox).unlink(missing_ok=True)


def _link(sandbox: Path) -> Path:
    name = hashlib.sha256(os.fsencode(sandbox)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"mizzen-{os.getuid()}" / name
