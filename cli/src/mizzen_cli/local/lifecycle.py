"""What `mizzen up`, `down` and `status` do. Plain functions: the command line prints what they report and return."""

import fcntl
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mizzen_cli.context import Context, context_path, read_context, write_context
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.credentials import ensure_credentials, read_credential
from mizzen_cli.local.data_folder import DataFolder, open_data_folder
from mizzen_cli.local.pod.sandbox import FOLDER_MARKER, PROGRAM_MARKER
from mizzen_cli.local.pod.sandboxes import Sandboxes, kill_marked
from mizzen_cli.local.ports import HOST, Ports, choose_ports
from mizzen_cli.local.process_identity import ProcessIdentity
from mizzen_cli.local.programs import Program, controlplane_url, gateway_url, programs
from mizzen_cli.local.spawn import base_environment, installer_environment, reap_children, spawn_detached
from mizzen_cli.local.supervisor_state import (
    SUPERVISOR,
    SupervisorState,
    program_mark,
    read_ports,
    read_state,
    write_ports,
)

POLL_SECONDS = 0.05
Report = Callable[[str], None]
"""Takes one line of progress for people."""


@dataclass(frozen=True)
class UpOptions:
    """What a person may choose."""

    data_dir: Path
    port: int | None = None
    gateway_port: int | None = None
    grpc_port: int | None = None
    """Of the gateway; 0 for none, None for that of last time."""
    timeout_seconds: float = 60.0
    context_file: Path | None = None
    """Where to write the context; by default where every command reads it."""


@dataclass(frozen=True)
class UpResult:
    """What runs now."""

    data_dir: Path
    controlplane_url: str
    gateway_url: str
    context_file: Path
    already_running: bool
    seconds: float
    grpc: str = ""
    """Where gRPC is spoken, host:port; empty for nowhere."""


@dataclass(frozen=True)
class ProgramStatus:
    """One program as `mizzen status` shows it."""

    name: str
    state: str
    """ready, starting, or stopped."""
    pid: int | None
    restarts: int
    url: str
    log: Path


@dataclass(frozen=True)
class PodStatus:
    """One pod as `mizzen status` shows it."""

    namespace: str
    name: str
    state: str
    address: str
    restarts: int
    message: str


@dataclass(frozen=True)
class InstallationStatus:
    """A whole installation."""

    data_dir: Path
    supervised: bool
    programs: tuple[ProgramStatus, ...]
    pods: tuple[PodStatus, ...]

    @property
    def ready(self) -> bool:
        """Every program answers."""
        return bool(self.programs) and all(each.state == "ready" for each in self.programs)


def up(options: UpOptions, report: Report) -> UpResult:
    """Start what does not run, wait until all is ready, write the context. Repeating it changes nothing.

    Raises:
        CommandError: folder, port or program in the way, with what to do.
    """
    begun = time.monotonic()
    if open_data_folder(options.data_dir) is None:
        choose_ports(wanted_ports(Ports(), options), lambda _name: False)  # before anything is made that would stay
    folder = open_data_folder(options.data_dir, create=True)
    assert folder is not None, "created"
    with exclusive(folder):
        ensure_credentials(folder.secrets)
        state = read_state(folder)
        ports = settle_ports(folder, options, state)
        running = all_alive(state, folder, ports)
        if not supervisor_alive(state):
            report("starting the supervisor" if not any_alive(state) else "adopting what runs with a new supervisor")
            write_ports(folder, ports)
            wait_supervisor(folder, start_supervisor(folder), options.timeout_seconds)
        wait_ready(folder, programs(folder, ports), options.timeout_seconds, report)
        path = remember(folder, ports, options.context_file)
    seconds = time.monotonic() - begun
    grpc = f"{HOST}:{ports.grpc}" if ports.grpc else ""
    return UpResult(folder.root, controlplane_url(ports), gateway_url(ports), path, running, seconds, grpc)


def settle_ports(folder: DataFolder, options: UpOptions, state: SupervisorState) -> Ports:
    """Ports to run on: those asked for, else those of last time, else the usual ones."""
    last = read_ports(folder) or Ports()
    wanted = wanted_ports(last, options)
    if wanted != last and any_alive(state):
        raise CommandError(
            f"Mizzen already runs in {folder.root} with --port {last.controlplane} --gateway-port {last.gateway}"
            f" --grpc-port {last.grpc}; "
            "run `mizzen down` first to change its ports",
            ExitCode.USAGE,
        )
    owner = {"gateway_admin": "gateway", "grpc": "gateway"}
    return choose_ports(wanted, lambda name: state.program(owner.get(name, name)).alive)


def wanted_ports(last: Ports, options: UpOptions) -> Ports:
    """The ports of last time, but for those that a person chose now."""
    return replace(
        last,
        controlplane=options.port or last.controlplane,
        gateway=options.gateway_port or last.gateway,
        grpc=last.grpc if options.grpc_port is None else options.grpc_port,
    )


def down(data_dir: Path, report: Report) -> bool:
    """End everything of a data folder: gateway, runner, pods, control plane. False where nothing ran."""
    folder = open_data_folder(data_dir)
    if folder is None:
        return False
    with exclusive(folder):
        state = read_state(folder)
        ports = read_ports(folder) or Ports()
        by_name = {each.name: each for each in programs(folder, ports)}
        ran = supervisor_alive(state) or any_alive(state)
        if state.supervisor:
            end_process(state.supervisor, 5.0)
        for name in ("gateway", "runner"):
            end_program(state, by_name[name], report)
        ran = end_pods(folder, report) or ran
        end_program(state, by_name["controlplane"], report)
        # Whatever lost its state file (a crash between start and record) still carries the folder's mark.
        if left := kill_marked(FOLDER_MARKER, folder.id):
            report(f"ended {left} processes that had lost their owner")
        reap_children()
        (folder.run / "supervisor.json").unlink(missing_ok=True)
    return ran or bool(left)


def status(data_dir: Path) -> InstallationStatus | None:
    """What runs in a data folder; None where there is none."""
    folder = open_data_folder(data_dir)
    if folder is None:
        return None
    state, ports = read_state(folder), read_ports(folder) or Ports()
    urls = {"controlplane": controlplane_url(ports), "gateway": gateway_url(ports)}
    seen = tuple(
        ProgramStatus(
            each.name,
            program_state(state, each),
            each_pid(state, each.name),
            state.program(each.name).restarts,
            urls.get(each.name, ""),
            folder.logs / f"{each.name}.log",
        )
        for each in programs(folder, ports)
    )
    return InstallationStatus(folder.root, supervisor_alive(state), seen, tuple(pod_statuses(folder)))


def pod_statuses(folder: DataFolder) -> Iterator[PodStatus]:
    """Each pod in a line."""
    for seen in Sandboxes(folder.pods, folder.logs / "pods").seen():
        state = seen.state
        if seen.lost or seen.pending or state is None:
            yield PodStatus(
                seen.pod.namespace,
                seen.pod.name,
                "lost" if seen.lost else "pending" if seen.pending else "starting",
                "",
                0,
                "",
            )
            continue
        word = "terminating" if state.terminating else "ready" if state.ready else "starting"
        troubled = next((each for each in state.containers if each.message and not each.ready), None)
        message = state.problem or (f"{troubled.name}: {troubled.message}" if troubled else "")
        restarts = sum(each.restarts for each in state.containers)
        yield PodStatus(seen.pod.namespace, seen.pod.name, word, state.address, restarts, message)


def program_state(state: SupervisorState, program: Program) -> str:
    """A program's state in a word."""
    if not state.program(program.name).alive:
        return "stopped"
    return "ready" if answers(program.ready_url) else "starting"


def each_pid(state: SupervisorState, name: str) -> int | None:
    """A running program's number."""
    program = state.program(name)
    return program.process.pid if program.process and program.alive else None


@contextmanager
def exclusive(folder: DataFolder) -> Iterator[None]:
    """One `up` or `down` at a time in a folder."""
    with (folder.run / "lifecycle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def supervisor_alive(state: SupervisorState) -> bool:
    """The supervisor runs."""
    return state.supervisor is not None and state.supervisor.alive


def any_alive(state: SupervisorState) -> bool:
    """Some program runs."""
    return any(each.alive for each in state.programs.values())


def all_alive(state: SupervisorState, folder: DataFolder, ports: Ports) -> bool:
    """Supervisor and all programs run."""
    return supervisor_alive(state) and all(state.program(each.name).alive for each in programs(folder, ports))


def start_supervisor(folder: DataFolder) -> ProcessIdentity:
    """Start the supervisor, on its own from now on."""
    argv = [sys.executable, "-m", "mizzen_cli.local.supervisor", str(folder.root)]
    environment = {
        **base_environment(),
        **installer_environment(),
        FOLDER_MARKER: folder.id,
        PROGRAM_MARKER: program_mark(folder, SUPERVISOR),
    }
    return spawn_detached(argv, environment, folder.logs / "supervisor.log")


def wait_supervisor(folder: DataFolder, process: ProcessIdentity, seconds: float) -> None:
    """Wait until the supervisor has taken the folder."""
    deadline = time.monotonic() + seconds
    while read_state(folder).supervisor != process:
        if not process.alive or time.monotonic() > deadline:
            raise failed_start(folder, "supervisor", "does not come up")
        time.sleep(POLL_SECONDS)


def wait_ready(folder: DataFolder, wanted: tuple[Program, ...], seconds: float, report: Report) -> None:
    """Wait until every program answers; a program that keeps ending is told of with its last words."""
    deadline = time.monotonic() + seconds
    waiting = {each.name: each for each in wanted}
    while waiting:
        state = read_state(folder)
        for name, program in list(waiting.items()):
            if state.program(name).alive and answers(program.ready_url):
                report(f"{name} is ready")
                del waiting[name]
            elif state.program(name).restarts >= 3 and not state.program(name).alive:
                raise failed_start(folder, name, "keeps ending")
        if waiting and time.monotonic() > deadline:
            raise failed_start(folder, next(iter(waiting)), f"is not ready after {seconds:g} s")
        time.sleep(POLL_SECONDS)


def failed_start(folder: DataFolder, name: str, what: str) -> CommandError:
    """The sentence for a program that does not come up, with the end of its log."""
    log = folder.logs / f"{name}.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return CommandError(
        "\n  ".join([f"the {name} {what}; its log is {log}", *lines]) + "\nCorrect that, then run `mizzen up` again.",
        ExitCode.TIMED_OUT,
    )


def answers(url: str) -> bool:
    """A GET is answered with 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def remember(folder: DataFolder, ports: Ports, path: Path | None) -> Path:
    """Write the context file, so that the next command just works; a key that it holds for this folder stays."""
    path = path or context_path()
    before = read_context(path)
    same = before is not None and before.data_dir == str(folder.root)
    context = Context(
        controlplane_url=controlplane_url(ports),
        gateway_url=gateway_url(ports),
        token=read_credential(folder.secrets, "admin"),
        project=before.project if before and same else "default",
        data_dir=str(folder.root),
        api_key=before.api_key if before and same else "",
    )
    return write_context(context, path)


def end_program(state: SupervisorState, program: Program, report: Report) -> None:
    """SIGTERM, its time, SIGKILL."""
    process = state.program(program.name).process
    if process and process.alive:
        report(f"stopping the {program.name}")
        end_process(process, program.stop_seconds)


def end_process(process: ProcessIdentity, seconds: float) -> None:
    """SIGTERM, `seconds`, SIGKILL; returns when it is gone."""
    process.signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while process.alive:
        if time.monotonic() > deadline:
            process.signal(signal.SIGKILL)
        reap_children()
        time.sleep(POLL_SECONDS)


def end_pods(folder: DataFolder, report: Report) -> bool:
    """End all pods side by side, each within its grace; lost ones are cleared away. False where there was none."""
    sandboxes = Sandboxes(folder.pods, folder.logs / "pods")
    any_seen = False
    while seen := list(sandboxes.seen()):
        if not any_seen:
            report(f"stopping {len(seen)} pods")
        any_seen = True
        for each in seen:
            if each.lost or (each.state and each.state.finished):
                sandboxes.clear_away(each)
            else:
                sandboxes.ask_to_stop(each)
        time.sleep(POLL_SECONDS)
    return any_seen
