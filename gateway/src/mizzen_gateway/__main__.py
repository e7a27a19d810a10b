"""Starts a gateway: `python -m mizzen_gateway`, settings from the environment. SIGTERM drains and ends it."""

import asyncio
import os
import signal
import sys

import aiohttp
import uvloop

from mizzen_gateway.settings import Settings, SettingsError, read_settings
from mizzen_gateway.telemetry.logs import set_up_logs
from mizzen_gateway.wiring import CannotStartError, Gateway

CANNOT_START = 2
"""Exit code where a setting, the port or the data folder does not let it start."""


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    headers = {"authorization": f"Bearer {settings.token}"}
    async with aiohttp.ClientSession(headers=headers, auto_decompress=True) as session:
        gateway = Gateway(settings, session)
        await gateway.start()
        await stopped.wait()
        await gateway.stop()


def main() -> int:
    """Exit code."""
    set_up_logs(os.environ.get("MIZZEN_LOG_LEVEL", "INFO"))
    try:
        settings = read_settings()
        uvloop.run(serve(settings))
    except (SettingsError, CannotStartError) as error:
        sys.stderr.write(f"mizzen-gateway: {error}\n")
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main())
