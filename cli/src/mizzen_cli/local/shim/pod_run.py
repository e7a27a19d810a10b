"""A whole pod's life: address, volumes, init containers in order, containers, and its end."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from mizzen_cli.local.address import AddressClaim, NoAddressError, PortTakenError, check_ports, claim_address
from mizzen_cli.local.json_file import write_json
from mizzen_cli.local.log_file import RotatingLog
from mizzen_cli.local.pod.backoff import Backoff
from mizzen_cli.local.pod.container_environment import invocation, prepare_volumes, remove_tokens
from mizzen_cli.local.pod.manifest import Container, ManifestError, Pod
from mizzen_cli.local.pod.sandbox import CONTAINER_MARKER, PodSettings, Sandbox
from mizzen_cli.local.pod.shared_memory import mapped_files, present_files, remove_leftovers
from mizzen_cli.local.pod.state import ContainerState, PodState
from mizzen_cli.local.process_identity import identity_of
from mizzen_cli.local.shim.children import Children, become_subreaper, session_members
from mizzen_cli.local.shim.container_run import ContainerRun

SHARED_MEMORY_SCAN_SECONDS = 2.0
PORT_RETRY_SECONDS = 2.0


class PodRun:
    """Runs the pod of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.pod: Pod
        self.settings: PodSettings
        self.pod, self.settings = sandbox.read()
        self._children = Children()
        self._runs: list[ContainerRun] = []
        self._stop = asyncio.Event()
        self._present_before = present_files()
        self._claim: AddressClaim | None = None
        own = identity_of(os.getpid())
        assert own is not None, "this process runs"
        self.state = PodState(uid=self.pod.uid, created_at=_now(), shim=own.as_json())
        self.state.containers = [
            *(ContainerState(each.name, init=True) for each in self.pod.init_containers),
            *(ContainerState(each.name) for each in self.pod.containers),
        ]

    def ask_to_stop(self) -> None:
        """End the pod gracefully; `run` returns afterwards."""
        self._stop.set()

    async def run(self) -> None:
        """From nothing to the end."""
        become_subreaper()
        self._children.start_reaping()
        if self._sandbox.stop_file.exists():
            self._stop.set()
        self._write()
        life = asyncio.create_task(self._live())
        scan = asyncio.create_task(self._scan_shared_memory())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({life, stop}, return_when=asyncio.FIRST_COMPLETED)
            await self._end(life)
        finally:
            stop.cancel()
            scan.cancel()

    async def _live(self) -> None:
        """Until cancelled. A problem that only a new manifest can cure is recorded and waited with."""
        try:
            self._claim = claim_address(self.pod.uid)
            self.state.address = self._claim.address
            await self._wait_for_ports(self._claim.address)
            folders = prepare_volumes(self.pod, self._sandbox, self.settings)
            for position, container in enumerate(self.pod.init_containers, start=1):
                run = self._prepare(container, folders, self._claim.address)
                await run.run_to_success()
                remove_tokens(self.pod, folders, [*self.pod.init_containers[position:], *self.pod.containers])
            self.state.initialized, self.state.initialized_at = True, _now()
            self._write()
            runs = [self._prepare(container, folders, self._claim.address) for container in self.pod.containers]
            async with asyncio.TaskGroup() as group:
                for run in runs:
                    group.create_task(run.run_forever())
        except (ManifestError, NoAddressError) as error:
            self._problem("ManifestRefused" if isinstance(error, ManifestError) else "NoAddress", str(error))
            await asyncio.Event().wait()
        except OSError as error:
            self._problem("SandboxFailed", f"{error.strerror}: {error.filename}; free disk space and check its rights")
            await asyncio.Event().wait()

    async def _wait_for_ports(self, address: str) -> None:
        ports = [number for container in self.pod.containers for _, number in container.ports]
        while True:
            try:
                check_ports(address, ports)
            except PortTakenError as error:
                self._problem("PortTaken", str(error))
            else:
                self._problem("", "")
                return
            await asyncio.sleep(PORT_RETRY_SECONDS)

    def _prepare(self, container: Container, folders: dict[str, Path], address: str) -> ContainerRun:
        settings, sandbox = self.settings, self._sandbox
        run = ContainerRun(
            container=container,
            state=self.state.container(container.name),
            invocation=invocation(container, self.pod, sandbox, settings, address, folders),
            address=address,
            children=self._children,
            log=RotatingLog(sandbox.log(container.name), settings.log_bytes),
            message_file=sandbox.termination_message(container.name),
            marker=(CONTAINER_MARKER, f"{self.pod.uid}/{container.name}"),
            backoff=Backoff(settings.backoff_seconds, settings.backoff_limit_seconds, settings.backoff_reset_seconds),
            changed=self._write,
        )
        self._runs.append(run)
        return run

    async def _end(self, life: asyncio.Task[None]) -> None:
        """Not ready at once, so that no new request comes; then all containers side by side; then what is left."""
        self.state.terminating = True
        self._write()
        await asyncio.gather(*(run.stop(self.pod.grace_seconds) for run in self._runs))
        life.cancel()
        await asyncio.wait({life})
        await self._kill_adopted()
        self._collect_shared_memory()
        remove_leftovers(self.state.shared_memory)
        self.state.finished = True
        self._write()
        if self._claim:
            self._claim.release()

    async def _kill_adopted(self) -> None:
        while left := self._children.adopted():
            for pid in left:
                os.kill(pid, signal.SIGKILL)  # our own unreaped child: the number cannot have changed hands
            await asyncio.sleep(0.01)
            self._children.reap()

    async def _scan_shared_memory(self) -> None:
        """Remember the regions of running engines: after a kill -9 nothing else tells whose they were."""
        while True:
            await asyncio.sleep(SHARED_MEMORY_SCAN_SECONDS)
            if self._collect_shared_memory():
                self._write()

    def _collect_shared_memory(self) -> bool:
        pids = [pid for each in self.state.containers if each.process for pid in session_members(each.process["pid"])]
        found = mapped_files(pids) - self._present_before
        new = found - set(self.state.shared_memory)
        self.state.shared_memory.extend(sorted(new))
        return bool(new)

    def _problem(self, reason: str, message: str) -> None:
        if (reason, message) != (self.state.problem_reason, self.state.problem):
            self.state.problem_reason, self.state.problem = reason, message
            self._write()

    def _write(self) -> None:
        """Sum the containers up and replace the state file."""
        state = self.state
        mains = [each for each in state.containers if not each.init]
        ready = state.initialized and not state.terminating and all(each.ready for each in mains)
        if ready and not state.ready:
            state.ready_at = _now()
            state.first_ready_at = state.first_ready_at or state.ready_at
            self._collect_shared_memory()
        state.ready = ready
        write_json(self._sandbox.state_file, state.as_json())


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def run_pod(root: Path) -> None:
    """Run the pod in `root` until SIGTERM asks for its end."""
    run = PodRun(Sandbox(root))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, run.ask_to_stop)
    await run.run()
