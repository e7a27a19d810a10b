"""Pods as whoever manages them sees them: start, look, ask to end, clean up after a crash. The runner's hands."""

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mizzen_cli.local.json_file import read_json, write_json
from mizzen_cli.local.pod.manifest import ManifestError, Pod
from mizzen_cli.local.pod.sandbox import FOLDER_MARKER, POD_MARKER, SHIM_MARKER, PodSettings, Sandbox
from mizzen_cli.local.pod.shared_memory import remove_leftovers
from mizzen_cli.local.pod.short_folder import remove_short_folder
from mizzen_cli.local.pod.state import PodState
from mizzen_cli.local.process_identity import identity_from_json, marked_processes
from mizzen_cli.local.spawn import base_environment, spawn_detached

KEPT_LOGS = 20


@dataclass(frozen=True)
class SeenPod:
    """A pod on disk and what its shim last wrote.

    `pending`: it was made but never started. `lost`: its shim has ended without finishing.
    """

    sandbox: Sandbox
    pod: Pod
    state: PodState | None
    lost: bool
    pending: bool
    created_at: datetime


class Sandboxes:
    """All pods of a data folder."""

    def __init__(self, pods: Path, kept_logs: Path) -> None:
        self._pods = pods
        self._kept_logs = kept_logs

    def sandbox(self, namespace: str, name: str) -> Sandbox:
        """Folder of a pod, existing or not."""
        return Sandbox(self._pods / namespace / name)

    def create(self, manifest: dict[str, Any], settings: PodSettings) -> Sandbox:
        """Make a pod, pending. Raises OSError where the disk refuses."""
        sandbox = self.sandbox(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        draft = self._pods / f".new-{sandbox.root.parent.name}-{sandbox.root.name}"
        shutil.rmtree(draft, ignore_errors=True)
        sandbox.create(manifest, settings, draft)
        return sandbox

    def remove_halves(self) -> None:
        """Remove what a crash left half made or half removed. For the one hand that makes pods, before it begins."""
        for half in self._pods.glob(".*"):
            shutil.rmtree(half, ignore_errors=True)

    def launch(self, sandbox: Sandbox) -> None:
        """Start the shim of a pending pod. Raises OSError where the machine refuses."""
        pod, settings = sandbox.read()
        # First, so that a crash right here leaves a lost pod, which is replaced, and never two shims.
        sandbox.pending_file.unlink(missing_ok=True)
        environment = {**base_environment(), FOLDER_MARKER: settings.folder_id, SHIM_MARKER: pod.uid}
        argv = [sys.executable, "-m", "mizzen_cli.local.shim", str(sandbox.root)]
        identity = spawn_detached(argv, environment, sandbox.log("shim"))
        write_json(sandbox.shim_file, identity.as_json())

    def seen(self) -> Iterator[SeenPod]:
        """Every pod on disk; what cannot be read any more is removed."""
        for root in sorted(self._pods.glob("*/*")):
            # Folders that are being made or removed.
            if root.parent.name.startswith("."):
                continue
            sandbox = Sandbox(root)
            try:
                pod, _ = sandbox.read()
            except (FileNotFoundError, KeyError, TypeError, ManifestError):
                self.remove(sandbox)
                continue
            # Another hand may remove the pod while it is looked at.
            with contextlib.suppress(FileNotFoundError):
                yield look(sandbox, pod)

    def ask_to_stop(self, seen: SeenPod) -> None:
        """Ask for a graceful end; repeating it changes nothing."""
        if seen.pending:
            self.remove(seen.sandbox)
            return
        if seen.sandbox.stop_file.exists() and seen.state and seen.state.terminating:
            return
        seen.sandbox.stop_file.touch()
        if seen.state and (shim := seen.state.shim_identity):
            shim.signal(signal.SIGTERM)

    def clear_away(self, seen: SeenPod) -> None:
        """End whatever a finished or lost pod left, keep its logs, remove its folder."""
        kill_marked(SHIM_MARKER, seen.pod.uid)
        kill_marked(POD_MARKER, seen.pod.uid)
        if seen.state:
            remove_leftovers(seen.state.shared_memory)
        self._keep_logs(seen)
        self.remove(seen.sandbox)

    def remove(self, sandbox: Sandbox) -> None:
        """Remove a folder. It leaves the list of pods at once, also when its removal is cut short."""
        grave = self._pods / f".gone-{sandbox.root.parent.name}-{sandbox.root.name}"
        shutil.rmtree(grave, ignore_errors=True)
        remove_short_folder(sandbox.root)
        # Another hand (`mizzen down` beside a runner) may have been quicker.
        with contextlib.suppress(FileNotFoundError):
            sandbox.root.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)

    def _keep_logs(self, seen: SeenPod) -> None:
        """Logs of pods that are gone stay readable, those of the newest pods."""
        if not seen.sandbox.logs.is_dir():
            return
        self._kept_logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self._kept_logs / f"{seen.pod.namespace}_{seen.pod.name}"
        shutil.rmtree(target, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            seen.sandbox.logs.rename(target)
            target.touch()
        for old in sorted(self._kept_logs.iterdir(), key=lambda each: each.stat().st_mtime)[:-KEPT_LOGS]:
            shutil.rmtree(old, ignore_errors=True)


def look(sandbox: Sandbox, pod: Pod) -> SeenPod:
    """What is seen of one pod. The shim is looked at before the file, which it writes last."""
    started = identity_from_json(read_json(sandbox.shim_file))
    alive = started is not None and started.alive
    body = read_json(sandbox.state_file)
    state = PodState.from_json(body) if body else None
    alive = alive or bool(state and state.shim_identity and state.shim_identity.alive)
    pending = sandbox.pending_file.exists()
    lost = not pending and not alive and not (state and state.finished)
    created_at = datetime.fromtimestamp(sandbox.pod_file.stat().st_mtime, UTC)
    return SeenPod(sandbox, pod, state, lost, pending, created_at)


def kill_marked(name: str, value: str, seconds: float = 5.0) -> int:
    """SIGKILL every process with that marker until none is left; returns how many were killed."""
    deadline = time.monotonic() + seconds
    killed: set[int] = set()
    empty_looks = 0
    while empty_looks < 2 and time.monotonic() < deadline:
        left = marked_processes(name, value)
        for process in left:
            process.signal(signal.SIGKILL)
            killed.add(process.pid)
        empty_looks = 0 if left else empty_looks + 1
        # A process in the middle of its start shows no environment for a moment: nothing was killed, nothing was there.
        if not killed:
            break
        time.sleep(0.02)
    return len(killed)
