"""One gateway process: the parts of `wiring.py`, running until a signal ends them."""

import asyncio
import gc
import signal
from dataclasses import replace

import aiohttp
import structlog
import uvloop

from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.metering.places import claim
from mizzen_gateway.program_token import ProgramTokens
from mizzen_gateway.settings import Settings
from mizzen_gateway.wire.inheritance import Inheritance, end_with
from mizzen_gateway.wiring import Gateway, allow_open_files, authority_in, keep_renewed

GARBAGE_OBJECTS = 50_000
"""Containers more than at the last collection before there is another one."""


def calm_the_collector() -> None:
    """Requests leave no cycles behind: what is there at the start is never looked at again, the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 100)


def tokens_of(settings: Settings) -> ProgramTokens:
    """Which token goes where."""
    if settings.config_file is not None:
        return ProgramTokens({})
    files = {settings.controlplane_url: settings.token_file}
    if settings.operator_url:
        files.setdefault(settings.operator_url, settings.operator_token_file)
    return ProgramTokens(files)


async def serve(settings: Settings, inherited: Inheritance | None = None) -> None:
    """Run until SIGTERM or SIGINT; `inherited`: as the worker of a supervisor."""
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
        await gateway.start(inherited)
        if settings.config_file is not None and inherited is None:
            loop.add_signal_handler(signal.SIGHUP, gateway.read_again)
        calm_the_collector()
        await stopped.wait()
        await gateway.stop()
    if renewing is not None:
        renewing.cancel()


def run_alone(settings: Settings) -> None:
    """The only process of this gateway. Raises CannotStartError."""
    allow_open_files()
    uvloop.run(serve(settings))


def run_as_worker(settings: Settings, inherited: Inheritance) -> None:
    """One of several, with a name and a spool of its own. Raises CannotStartError."""
    end_with(inherited.supervisor)
    allow_open_files()
    try:
        place = claim(settings.data_dir)
    except OSError as error:
        raise CannotStartError(f"MIZZEN_DATA_DIR: {error}; give this user the folder and space in it.") from error
    structlog.contextvars.bind_contextvars(worker=place.number)
    uvloop.run(serve(replace(settings, name=f"{settings.name}-{place.number}", spool_dir=place.spool), inherited))
