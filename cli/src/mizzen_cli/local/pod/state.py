"""What is seen of a pod and its containers: written by the shim at each change, read by the runner and by people."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from mizzen_cli.local.process_identity import ProcessIdentity, identity_from_json

ContainerPhase = Literal["waiting", "running", "terminated"]


@dataclass
class ContainerState:
    """One container. Times are ISO 8601 in UTC."""

    name: str
    init: bool = False
    phase: ContainerPhase = "waiting"
    reason: str = "PodInitializing"
    message: str = ""
    process: dict[str, Any] | None = None
    """Identity of the process while it runs."""
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    """Of the last run; 128 + the signal's number for a kill."""
    last_reason: str = ""
    """Why the last run ended."""
    last_message: str = ""
    """Its last words."""
    restarts: int = 0
    restart_at: str | None = None
    """When a container that waits in back-off starts again."""
    started: bool = False
    """Its start-up probe has passed."""
    ready: bool = False
    """Its readiness probe holds."""

    @property
    def identity(self) -> ProcessIdentity | None:
        """The running process."""
        return identity_from_json(self.process)


@dataclass
class PodState:
    """One pod."""

    uid: str
    created_at: str
    shim: dict[str, Any] | None = None
    """Identity of the shim."""
    address: str = ""
    initialized: bool = False
    initialized_at: str | None = None
    ready: bool = False
    ready_at: str | None = None
    """When it last became ready."""
    first_ready_at: str | None = None
    """When it first became ready."""
    terminating: bool = False
    finished: bool = False
    """All its processes have ended; the folder may go."""
    problem: str = ""
    """Why it cannot even begin, with the remedy."""
    problem_reason: str = ""
    shared_memory: list[str] = field(default_factory=list)
    """Files in /dev/shm that its processes made."""
    containers: list[ContainerState] = field(default_factory=list)

    @property
    def shim_identity(self) -> ProcessIdentity | None:
        """The shim."""
        return identity_from_json(self.shim)

    def container(self, name: str) -> ContainerState:
        """State of a container."""
        return next(each for each in self.containers if each.name == name)

    def as_json(self) -> dict[str, Any]:
        """For the state file."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """Read a state file; fields of a newer release are passed over."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in body.items() if name in known and name != "containers"}
        of_container = {each.name for each in fields(ContainerState)}
        containers = [
            ContainerState(**{name: value for name, value in each.items() if name in of_container})
            for each in body.get("containers", [])
        ]
        return cls(**values, containers=containers)
