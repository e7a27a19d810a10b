"""Starts a gateway: `python -m mizzen_gateway`, settings from the environment. SIGTERM drains and ends it."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

import aiohttp
import uvloop

from mizzen_gateway.program_token import ProgramTokens
from mizzen_gateway.settings import Settings, SettingsError, read_settings
from mizzen_gateway.telemetry.logs import set_up_logs
from mizzen_gateway.wiring import CannotStartError, Gateway, allow_open_files, authority_in, keep_renewed

GARBAGE_OBJECTS = 50_000
"""Containers more than at the last collection before there is another one."""
CANNOT_START = 2
"""Exit code where a setting, the port or the data folder does not let it start."""


def take_arguments(arguments: Sequence[str]) -> None:
    """Answer --help and --version, and end; refuse everything else with exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m mizzen_gateway",
        description="The gateway of Mizzen: authenticates, routes and meters each call of a model.",
        epilog="It is set by environment variables: docs/reference/gateway.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"mizzen-gateway {version('mizzen-gateway')}")
    parser.parse_args(arguments)


def calm_the_collector() -> None:
    """Requests leave no cycles behind: what is there at the start is never looked at again, the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 100)


def tokens_of(settings: Settings) -> ProgramTokens:
    """Which token goes where."""
    files = {settings.controlplane_url: settings.token_file}
    if settings.operator_url:
        files.setdefault(settings.operator_url, settings.operator_token_file)
    return ProgramTokens(files)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    authority = authority_in(settings.controlplane_ca)
    renewing = asyncio.create_task(keep_renewed(authority), name="authority") if authority is not None else None
    connector = aiohttp.TCPConnector(ssl=authority.context if authority is not None else True)
    tokens = (tokens_of(settings),)
    async with aiohttp.ClientSession(middlewares=tokens, auto_decompress=True, connector=connector) as session:
        gateway = Gateway(settings, session)
        await gateway.start()
        calm_the_collector()
        await stopped.wait()
        await gateway.stop()
    if renewing is not None:
        renewing.cancel()


def main() -> int:
    """Exit code."""
    set_up_logs(os.environ.get("MIZZEN_LOG_LEVEL", "INFO"))
    try:
        settings = read_settings()
        allow_open_files()
        uvloop.run(serve(settings))
    except (SettingsError, CannotStartError) as error:
        sys.stderr.write(f"mizzen-gateway: {error}\n")
        return CANNOT_START
    return 0


if __name__ == "__main__":
    take_arguments(sys.argv[1:])
    sys.exit(main())
