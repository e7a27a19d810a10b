"""`python -m mizzen_cli.local.supervisor FOLDER`: keeps the three programs running.

It starts what does not run, adopts what another supervisor left running, and restarts with back-off what ends. Its own
end changes nothing for the programs: `mizzen up` starts the next supervisor.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mizzen_cli.local.data_folder import DataFolder, open_data_folder
from mizzen_cli.local.log_file import rotate_in_place
from mizzen_cli.local.pod.backoff import Backoff
from mizzen_cli.local.pod.sandbox import PROGRAM_MARKER
from mizzen_cli.local.ports import Ports
from mizzen_cli.local.process_identity import ProcessIdentity, identity_of
from mizzen_cli.local.programs import Program, programs
from mizzen_cli.local.spawn import reap_children, spawn_detached
from mizzen_cli.local.supervisor_state import (
    ProgramState,
    program_mark,
    read_ports,
    read_state,
    write_state,
)

BACKOFF = Backoff(base=0.5, limit=30.0, reset=60.0)
ROTATE_SECONDS = 5.0


class Supervisor:
    """Keeps the programs of one data folder running."""

    def __init__(self, folder: DataFolder, ports: Ports) -> None:
        self._folder = folder
        self._ports = ports
        own = identity_of(os.getpid())
        self._state = replace(read_state(folder), supervisor=own)
        self._backoff: dict[str, Backoff] = {}

    async def run(self) -> None:
        """Until cancelled."""
        # Also where everything is adopted and nothing will be started: `up` and `down` must find this supervisor.
        write_state(self._folder, self._state)
        async with asyncio.TaskGroup() as group:
            for program in programs(self._folder, self._ports):
                group.create_task(self._keep(program))
            group.create_task(self._rotate_logs())

    async def _keep(self, program: Program) -> None:
        while True:
            process = self._state.program(program.name).process
            if process is None or not process.alive:
                process = self._start(program)
            begun = time.monotonic()
            if process:
                await ended(process)
            reap_children()
            backoff = self._backoff.get(program.name, BACKOFF).after_run(time.monotonic() - begun)
            self._backoff[program.name] = backoff
            await asyncio.sleep(backoff.delay)

    def _start(self, program: Program) -> ProcessIdentity | None:
        before = self._state.program(program.name)
        log = self._folder.logs / f"{program.name}.log"
        marked_environment = {**program.environment, PROGRAM_MARKER: program_mark(self._folder, program.name)}
        try:
            process = spawn_detached(program.argv, marked_environment, log)
        except OSError as error:
            log.open("a").write(f"[supervisor] cannot be started: {error}\n")
            return None
        restarts = before.restarts + 1 if before.process else 0
        self._record(program.name, ProgramState(process, restarts, datetime.now(UTC).isoformat()))
        return process

    def _record(self, name: str, program: ProgramState) -> None:
        self._state = replace(self._state, programs={**self._state.programs, name: program})
        write_state(self._folder, self._state)

    async def _rotate_logs(self) -> None:
        while True:
            for log in self._folder.logs.glob("*.log"):
                # A full disk must not end the supervisor; the next round tries again.
                with contextlib.suppress(OSError):
                    rotate_in_place(log)
            await asyncio.sleep(ROTATE_SECONDS)


async def ended(process: ProcessIdentity) -> None:
    """Wait for the end of a process, a child or not."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    try:
        if not process.alive:
            return
        loop.add_reader(descriptor, gone.set)
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def supervise(folder: DataFolder, ports: Ports) -> None:
    """Run until SIGTERM; the programs go on."""
    task = asyncio.ensure_future(Supervisor(folder, ports).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    """Run, unless another supervisor of the folder does."""
    folder = open_data_folder(Path(sys.argv[1]))
    if folder is None:
        print(f"{sys.argv[1]} is no data folder; run `mizzen up`", file=sys.stderr)
        return 2
    ports = read_ports(folder)
    if ports is None:
        print(f"{folder.run / 'ports.json'} is missing; run `mizzen up`", file=sys.stderr)
        return 2
    with (folder.run / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another supervisor keeps this folder", file=sys.stderr)
            return 0
        asyncio.run(supervise(folder, ports))
    return 0


if __name__ == "__main__":
    sys.exit(main())
