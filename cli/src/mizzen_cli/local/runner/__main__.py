"""`python -m mizzen_cli.local.runner`: follows the store and brings each deployment nearer to what is wanted."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog

from mizzen_cli.local.runner.runner import Runner, RunnerSettings


def settings_from(environment: Mapping[str, str]) -> RunnerSettings:
    """Settings from the variables of between-programs.md."""
    try:
        return RunnerSettings(
            controlplane_url=environment["MIZZEN_CONTROLPLANE_URL"],
            token=Path(environment["MIZZEN_TOKEN_FILE"]).read_text().strip(),
            data_dir=Path(environment["MIZZEN_DATA_DIR"]),
            secrets_dir=Path(environment["MIZZEN_SECRETS_DIR"]),
            port=int(environment.get("MIZZEN_OPERATOR_PORT", "8482")),
            gateway_url=environment.get("MIZZEN_GATEWAY_URL", ""),
        )
    except (KeyError, OSError, ValueError) as error:
        raise SystemExit(f"mizzen runner: {type(error).__name__}: {error}; `mizzen up` sets what it needs") from error


async def serve(settings: RunnerSettings) -> None:
    """Run until SIGTERM. Pods go on without the runner."""
    task = asyncio.ensure_future(Runner(settings).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    """Run."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )
    asyncio.run(serve(settings_from(os.environ)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
