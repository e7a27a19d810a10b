"""Which environments are there, which are being made, and which could not be: one task for each, never in a pass."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from mizzen_crds.v1alpha1.serving_runtime import LocalEnvironment

from mizzen_cli.local.environments import EnvironmentMissingError, Environments, fingerprint

RETRY_SECONDS = 30.0
log = structlog.get_logger()


@dataclass(frozen=True)
class EnvironmentView:
    """What a pass sees: ready, or being made, or why not."""

    ready: bool
    failure: str = ""
    progress: str = ""
    """The installer's last line, while the environment is being made."""


class EnvironmentKeeper:
    """Makes environments in the background; `changed` is called when one comes forward, is ready or has failed."""

    def __init__(self, environments: Environments, changed: Callable[[], None]) -> None:
        self.environments = environments
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, tuple[float, str]] = {}
        self._progress: dict[str, str] = {}

    def view(self, name: str, local: LocalEnvironment) -> EnvironmentView:
        """Look at an environment, and start making it where it is missing and may be made unasked."""
        if self.environments.ready(local):
            return EnvironmentView(ready=True)
        if local.install == "Explicit":
            size = f" ({local.size_bytes / 1e9:.1f} GB)" if local.size_bytes else ""
            return EnvironmentView(
                False, f"the environment of {name}{size} is made on request only: `mizzen engines install {name}`"
            )
        mark = fingerprint(local)
        failed_at, failure = self._failures.get(mark, (0.0, ""))
        if mark not in self._tasks and (not failure or time.monotonic() - failed_at > RETRY_SECONDS):
            self._tasks[mark] = asyncio.create_task(self._make(mark, name, local))
        return EnvironmentView(
            False, failure, self._progress.get(mark, "") or f"The environment of {name} is being made."
        )

    async def close(self) -> None:
        """Stop making."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _make(self, mark: str, name: str, local: LocalEnvironment) -> None:
        def report(line: str) -> None:
            log.info("environment", runtime=name, line=line)
            self._progress[mark] = line
            self._changed()

        try:
            await self.environments.make(name, local, report)
            self._failures.pop(mark, None)
        except EnvironmentMissingError as error:
            self._failures[mark] = (time.monotonic(), str(error))
            log.warning("environment missing", runtime=name, error=str(error))
        finally:
            del self._tasks[mark]
            self._progress.pop(mark, None)
            self._changed()
