"""What the supervisor runs: its state file, which a later supervisor, `mizzen up` and `mizzen down` read."""

from dataclasses import dataclass, field
from typing import Any

from mizzen_cli.local.data_folder import DataFolder
from mizzen_cli.local.json_file import read_json, write_json
from mizzen_cli.local.pod.sandbox import PROGRAM_MARKER
from mizzen_cli.local.ports import Ports
from mizzen_cli.local.process_identity import ProcessIdentity, identity_from_json, marked_processes

SUPERVISOR = "supervisor"
NAMES = ("controlplane", "gateway", "runner")


@dataclass(frozen=True)
class ProgramState:
    """One program."""

    process: ProcessIdentity | None = None
    restarts: int = 0
    started_at: str = ""
    last_exit: str = ""
    """How the run before this one ended."""

    @property
    def alive(self) -> bool:
        """It runs."""
        return self.process is not None and self.process.alive


@dataclass(frozen=True)
class SupervisorState:
    """The supervisor and its programs."""

    supervisor: ProcessIdentity | None = None
    programs: dict[str, ProgramState] = field(default_factory=dict)

    def program(self, name: str) -> ProgramState:
        """State of a program, empty where it never ran."""
        return self.programs.get(name, ProgramState())


def marked(folder: DataFolder, name: str) -> ProcessIdentity | None:
    """The running process of a program by the mark in its environment."""
    return next(iter(marked_processes(PROGRAM_MARKER, program_mark(folder, name))), None)


def program_mark(folder: DataFolder, name: str) -> str:
    """Value of the mark."""
    return f"{folder.id}/{name}"


def found_running(folder: DataFolder) -> SupervisorState:
    """What runs without a state file that says so: a crash between start and record, or a disk that lost it."""
    programs = {name: ProgramState(process) for name in NAMES if (process := marked(folder, name))}
    return SupervisorState(marked(folder, SUPERVISOR), programs)


def read_state(folder: DataFolder) -> SupervisorState:
    """The last state written; where there is none, what is found running."""
    body = read_json(folder.run / "supervisor.json")
    if not isinstance(body, dict):
        return found_running(folder)
    programs = {
        name: ProgramState(
            identity_from_json(each.get("process")),
            int(each.get("restarts", 0)),
            str(each.get("started_at", "")),
            str(each.get("last_exit", "")),
        )
        for name, each in body.get("programs", {}).items()
    }
    return SupervisorState(identity_from_json(body.get("supervisor")), programs)


def write_state(folder: DataFolder, state: SupervisorState) -> None:
    """Replace the state file."""
    body: dict[str, Any] = {
        "supervisor": state.supervisor.as_json() if state.supervisor else None,
        "programs": {
            name: {
                "process": each.process.as_json() if each.process else None,
                "restarts": each.restarts,
                "started_at": each.started_at,
                "last_exit": each.last_exit,
            }
            for name, each in state.programs.items()
        },
    }
    write_json(folder.run / "supervisor.json", body)


def read_ports(folder: DataFolder) -> Ports | None:
    """Ports that the installation was last started with."""
    return Ports.from_json(read_json(folder.run / "ports.json"))


def write_ports(folder: DataFolder, ports: Ports) -> None:
    """Keep the ports for the next start."""
    write_json(folder.run / "ports.json", ports.as_json())
