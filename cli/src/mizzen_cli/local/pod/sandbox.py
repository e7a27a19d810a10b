"""Where a pod lives on disk: one folder with its manifest, its state, its volumes and its logs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mizzen_cli.local.json_file import read_json, write_json
from mizzen_cli.local.pod.manifest import Pod, parse_pod

POD_MARKER = "MIZZEN_LOCAL_POD"
"""Variable in every process of a pod: the pod's uid."""
SHIM_MARKER = "MIZZEN_LOCAL_SHIM"
"""Variable in a shim alone: the uid of its pod."""
CONTAINER_MARKER = "MIZZEN_LOCAL_CONTAINER"
"""Variable in every process of a container: `<pod's uid>/<container>`."""
PROGRAM_MARKER = "MIZZEN_LOCAL_PROGRAM"
"""Variable in the supervisor and the three programs alone: `<folder's id>/<name>`."""
FOLDER_MARKER = "MIZZEN_LOCAL_FOLDER"
"""Variable in every process that a data folder started: the folder's id."""


@dataclass(frozen=True)
class PodSettings:
    """What a pod needs to know of the machine; written beside its manifest."""

    folder_id: str
    """Id of the data folder."""
    claims: str
    """Folder of the persistent volume claims."""
    token_file: str
    """The registry's token, handed out through projected volumes alone."""
    bin_folders: Mapping[str, str] = field(default_factory=dict)
    """Container -> folder that its PATH begins with."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables that this machine adds to every container."""
    backoff_seconds: float = 10.0
    """Wait before the second restart; doubles each time."""
    backoff_limit_seconds: float = 300.0
    """Longest wait."""
    backoff_reset_seconds: float = 600.0
    """A container that ran so long starts again at once."""
    log_bytes: int = 10 * 1024 * 1024
    """Size of a log piece."""


@dataclass(frozen=True)
class Sandbox:
    """A pod's folder."""

    root: Path

    @property
    def pod_file(self) -> Path:
        """Manifest and settings, frozen when the pod is made."""
        return self.root / "pod.json"

    @property
    def state_file(self) -> Path:
        """What is seen of the pod; written by its shim alone."""
        return self.root / "state.json"

    @property
    def stop_file(self) -> Path:
        """Its presence asks the shim to end the pod."""
        return self.root / "stop"

    @property
    def pending_file(self) -> Path:
        """Its presence says that the pod was made but not started yet."""
        return self.root / "pending"

    @property
    def shim_file(self) -> Path:
        """Identity of the shim, as whoever started it saw it."""
        return self.root / "shim.json"

    @property
    def logs(self) -> Path:
        """One log a container, and the shim's own."""
        return self.root / "logs"

    def log(self, container: str) -> Path:
        """Log of a container."""
        return self.logs / f"{container}.log"

    def volume(self, name: str) -> Path:
        """Folder of a volume that lives and ends with the pod."""
        return self.root / "volumes" / name

    def termination_message(self, container: str) -> Path:
        """File that a container may leave its last sentence in."""
        return self.root / "termination" / container

    def create(self, manifest: dict[str, Any], settings: PodSettings, draft: Path) -> None:
        """Write the folder as `draft` and move it into place, so that nobody sees half a pod; the pod is pending."""
        half = Sandbox(draft)
        for folder in (half.logs, draft / "volumes", draft / "termination"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        half.pending_file.touch()
        write_json(half.pod_file, {"manifest": manifest, "settings": asdict(settings)})
        self.root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.rename(self.root)

    def read(self) -> tuple[Pod, PodSettings]:
        """Read back what `create` wrote. Raises FileNotFoundError where it did not get that far."""
        body = read_json(self.pod_file)
        if body is None:
            raise FileNotFoundError(self.pod_file)
        return parse_pod(body["manifest"]), PodSettings(**body["settings"])
