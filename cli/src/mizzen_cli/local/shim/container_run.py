"""One container's life: start, probes, end, back-off, again; each change goes into the pod's state."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mizzen_cli.local.log_file import RotatingLog
from mizzen_cli.local.pod.backoff import Backoff
from mizzen_cli.local.pod.container_environment import Invocation
from mizzen_cli.local.pod.manifest import Container, Probe
from mizzen_cli.local.pod.state import ContainerState
from mizzen_cli.local.process_identity import identity_of, marked_processes
from mizzen_cli.local.shim.action import attempt
from mizzen_cli.local.shim.children import Child, Children
from mizzen_cli.local.shim.output import OutputCopy
from mizzen_cli.local.shim.probe_loop import wait_for_start, watch_probe

HOOK_EXTRA_SECONDS = 2.0
"""What a container still gets after a hook that used up the grace period."""
MESSAGE_BYTES = 4096


class ContainerRun:
    """Carries out one container of a pod."""

    def __init__(
        self,
        container: Container,
        state: ContainerState,
        invocation: Invocation,
        address: str,
        children: Children,
        log: RotatingLog,
        message_file: Path,
        marker: tuple[str, str],
        backoff: Backoff,
        changed: Callable[[], None],
    ) -> None:
        self.container = container
        self.state = state
        self._invocation = invocation
        self._address = address
        self._children = children
        self._log = log
        self._message_file = message_file
        self._marker = marker
        self._backoff = backoff
        self._changed = changed
        self._child: Child | None = None
        self._probes: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._kill_reason = ""

    async def run_once(self) -> int:
        """One run, from start to the end of its last process. Returns the exit code."""
        begun = time.monotonic()
        self._kill_reason = ""
        output = OutputCopy(self._log)
        try:
            child = self._start(output)
        except OSError as error:
            output.close()
            self._ended(127, f"{self._invocation.argv[0]} cannot be started: {error.strerror}", "StartError")
            self._backoff = self._backoff.after_run(0.0)
            return 127
        self._child = child
        self._begin_probes()
        code = await child.ended
        self._end_probes()
        self._child = None
        await self._end_leftovers(child)
        output.close()
        self._backoff = self._backoff.after_run(time.monotonic() - begun)
        self._ended(code, self._last_words(output), self._kill_reason or ("Completed" if code == 0 else "Error"))
        return code

    async def run_to_success(self) -> None:
        """An init container: run until it ends well."""
        while not self._stopping:
            if await self.run_once() == 0:
                self.state.ready = True
                self._changed()
                return
            await self._wait_backoff()

    async def run_forever(self) -> None:
        """A container that is to run for ever: whenever it ends, start it again."""
        while not self._stopping:
            await self.run_once()
            await self._wait_backoff()

    async def stop(self, grace_seconds: float) -> None:
        """End it: hook, SIGTERM, grace, SIGKILL. Returns when its processes are gone."""
        self._stopping = True
        self.state.ready = False
        self._changed()
        if child := self._child:
            self._end_probes()
            await self._end_gracefully(child, grace_seconds)

    def _start(self, output: OutputCopy) -> Child:
        self._message_file.unlink(missing_ok=True)
        call = self._invocation
        child = self._children.spawn(call.argv, call.environment, call.working_dir, output.descriptor)
        output.begin()
        identity = identity_of(child.pid)
        state = self.state
        state.phase, state.reason, state.message = "running", "Running", ""
        state.process = identity.as_json() if identity else None
        state.started_at, state.restart_at = _now(), None
        state.started = state.ready = False
        self._changed()
        return child

    def _begin_probes(self) -> None:
        if self.state.init:
            return
        self._probes = {asyncio.create_task(self._probe())}

    def _end_probes(self) -> None:
        for task in self._probes:
            task.cancel()
        self._probes = set()

    async def _probe(self) -> None:
        """Start-up first; then readiness and liveness side by side."""
        container = self.container
        if container.startup and (problem := await wait_for_start(container.startup, self._try)):
            self._kill(f"StartupFailed: start-up probe failed {container.startup.failure} times: {problem}")
            return
        self.state.started = True
        self.state.ready = container.readiness is None
        self._changed()
        async with asyncio.TaskGroup() as group:
            if container.readiness:
                group.create_task(watch_probe(container.readiness, self._try, self._readiness))
            if container.liveness:
                group.create_task(watch_probe(container.liveness, self._try, self._liveness))

    async def _try(self, probe: Probe) -> str:
        return await attempt(probe.action, self.container, self._address, probe.timeout, self._run_command)

    def _readiness(self, good: bool, problem: str) -> None:
        self.state.ready = good and not self._stopping
        self.state.message = "" if good else f"readiness probe: {problem}"
        self._changed()

    def _liveness(self, good: bool, problem: str) -> None:
        if not good:
            self._kill(f"Unhealthy: liveness probe: {problem}")

    def _kill(self, why: str) -> None:
        """End this run because of a probe; `run_forever` starts the next one."""
        if self._child is None or self._stopping:
            return
        self._kill_reason = why
        self.state.ready = False
        self._changed()
        task = asyncio.create_task(self._end_gracefully(self._child, 30.0))
        task.add_done_callback(lambda done: done.exception() if not done.cancelled() else None)
        self._killing = task

    async def _end_gracefully(self, child: Child, grace_seconds: float) -> None:
        deadline = time.monotonic() + grace_seconds
        if self.container.pre_stop:
            problem = await attempt(
                self.container.pre_stop, self.container, self._address, grace_seconds, self._run_command
            )
            if problem:
                self._log.write(f"[mizzen] preStop: {problem}\n".encode())
        if child.ended.done():
            return
        child.signal_group(signal.SIGTERM)
        left = max(deadline - time.monotonic(), HOOK_EXTRA_SECONDS if self.container.pre_stop else 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await asyncio.shield(child.ended)
                return
        child.signal_group(signal.SIGKILL)
        await child.ended

    async def _run_command(self, command: tuple[str, ...]) -> int:
        """Run a probe's or hook's command as Kubernetes does: in the container's environment, not expanded."""
        output = OutputCopy(self._log)
        call = self._invocation
        try:
            child = self._children.spawn(command, call.environment, call.working_dir, output.descriptor)
        except OSError as error:
            self._log.write(f"[mizzen] {command[0]} cannot be started: {error.strerror}\n".encode())
            output.close()
            return 127
        output.begin()
        try:
            return await asyncio.shield(child.ended)
        finally:
            child.signal_group(signal.SIGKILL)
            output.close()

    async def _end_leftovers(self, child: Child) -> None:
        """Kill what the ended run left: its group, and whatever carries its marker."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        left = marked_processes(*self._marker)
        for process in left:
            process.signal(signal.SIGKILL)
        # Killed processes that are not our children send no signal when they end.
        while any(process.alive for process in left):  # noqa: ASYNC110 - there is nothing to be woken by
            await asyncio.sleep(0.01)

    def _ended(self, code: int, message: str, reason: str) -> None:
        state = self.state
        state.phase = "terminated"
        state.reason, _, why = reason.partition(": ")
        state.message = "; ".join(filter(None, (why, message)))
        state.last_reason, state.last_message = state.reason, state.message
        state.exit_code, state.finished_at, state.process = code, _now(), None
        state.started = state.ready = False
        self._changed()

    def _last_words(self, output: OutputCopy) -> str:
        """The container's termination message, or the end of its log."""
        try:
            message = self._message_file.read_bytes()[:MESSAGE_BYTES].decode(errors="replace").strip()
        except OSError:
            message = ""
        return message or output.tail

    async def _wait_backoff(self) -> None:
        if self._stopping:
            return
        delay = self._backoff.delay
        self.state.restarts += 1
        if delay:
            self.state.phase, self.state.reason = "waiting", "CrashLoopBackOff"
            self.state.restart_at = (datetime.now(UTC) + timedelta(seconds=delay)).isoformat()
            self._changed()
            await asyncio.sleep(delay)


def _now() -> str:
    return datetime.now(UTC).isoformat()
