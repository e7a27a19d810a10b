"""Where everything of one installation on this machine is: one folder, and who may open it."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.json_file import read_json, write_json

LAYOUT_VERSION = 1
"""Rises when an older Mizzen could not run on the folder any more."""


class DataFolderError(CommandError):
    """The folder cannot be used; the text says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


@dataclass(frozen=True)
class DataFolder:
    """Layout of a data folder."""

    root: Path
    id: str
    """Marks every process that belongs to it."""

    @property
    def secrets(self) -> Path:
        """Tokens, pepper and page key; 0700."""
        return self.root / "secrets"

    @property
    def controlplane(self) -> Path:
        """Database and artifacts."""
        return self.root / "controlplane"

    @property
    def gateway(self) -> Path:
        """Spool and cached feeds."""
        return self.root / "gateway"

    @property
    def pods(self) -> Path:
        """Sandboxes of the pods that exist."""
        return self.root / "pods"

    @property
    def claims(self) -> Path:
        """Persistent volume claims."""
        return self.root / "claims"

    @property
    def revisions(self) -> Path:
        """Frozen revisions, for as long as they may serve again."""
        return self.root / "revisions"

    @property
    def logs(self) -> Path:
        """Logs of the programs, and of pods that are gone in `pods`."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """State of what runs: settings, the supervisor's state, locks."""
        return self.root / "run"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of them."""
        return (
            self.secrets, self.controlplane, self.gateway, self.pods, self.claims, self.revisions, self.logs, self.run,
        )  # fmt: skip


def default_data_dir() -> Path:
    """MIZZEN_DATA_DIR, or `mizzen` in the XDG data folder."""
    if given := os.environ.get("MIZZEN_DATA_DIR"):
        return Path(given)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "mizzen"


def open_data_folder(root: Path, *, create: bool = False) -> DataFolder | None:
    """The folder's description; None where there is none and `create` is not set.

    Raises:
        DataFolderError: it is of a newer version, not writable, or something else.
    """
    root = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100 - resolve() would follow a link that may move later
    marker = root / "mizzen.json"
    try:
        body = read_json(marker)
        if body is None:
            if not create:
                return None
            refuse_foreign(root)
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            body = {"layout": LAYOUT_VERSION, "id": uuid.uuid4().hex}
            write_json(marker, body)
        folder = DataFolder(root, str(body["id"]))
        refuse_newer(root, int(body["layout"]))
        for each in folder.folders:
            each.mkdir(exist_ok=True, mode=0o700)
        check_writable(folder)
    except OSError as error:
        raise DataFolderError(
            f"data folder {root} cannot be written ({error.strerror}: {error.filename}); give this user the "
            "right to it, free disk space, or choose another with --data-dir"
        ) from error
    return folder


def refuse_foreign(root: Path) -> None:
    """A folder that has something else in it is not taken over."""
    if root.is_dir() and any(root.iterdir()):
        raise DataFolderError(f"{root} is not empty and no data folder of Mizzen; choose another with --data-dir")


def refuse_newer(root: Path, layout: int) -> None:
    """An older Mizzen does not touch what a newer one has written."""
    if layout > LAYOUT_VERSION:
        raise DataFolderError(
            f"data folder {root} has layout version {layout}, and this Mizzen knows versions up to {LAYOUT_VERSION}; "
            "use the Mizzen that wrote it or a newer one, or choose another folder with --data-dir"
        )


def check_writable(folder: DataFolder) -> None:
    """Raises OSError where a file cannot be made."""
    trial = folder.run / f".trial-{os.getpid()}"
    trial.write_bytes(b"x")
    trial.unlink()
