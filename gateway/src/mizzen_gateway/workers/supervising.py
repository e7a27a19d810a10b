"""Runs a supervisor: its sockets, its workers, its admin port."""

import asyncio

import structlog

from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.settings import Settings
from mizzen_gateway.wire.inheritance import listeners
from mizzen_gateway.wire.limits import ADMIN_LIMITS
from mizzen_gateway.wire.listening import listen
from mizzen_gateway.wire.server import Server
from mizzen_gateway.workers.pages import SupervisorPages
from mizzen_gateway.workers.supervisor import Supervisor

log = structlog.get_logger(__name__)


def supervise(settings: Settings) -> int:
    """Until SIGTERM or SIGINT; the exit code. Raises CannotStartError."""
    try:
        sockets = listeners(settings.host, settings.port, settings.workers)
    except OSError as error:
        raise CannotStartError(
            f"MIZZEN_PORT: cannot listen on {settings.host}:{settings.port} ({error.strerror or error});"
            " stop the program that uses it, or set MIZZEN_PORT to a free port."
        ) from error
    try:
        return asyncio.run(_supervise(settings, Supervisor(sockets, settings.drain_seconds)))
    finally:
        for one in sockets:
            one.close()


async def _supervise(settings: Settings, supervisor: Supervisor) -> int:
    admin = Server(SupervisorPages(supervisor), ADMIN_LIMITS)
    port = await listen(admin, settings.host, settings.admin_port, "MIZZEN_ADMIN_PORT")
    log.info("supervisor listens", workers=settings.workers, host=settings.host, admin_port=port)
    try:
        return await supervisor.run()
    finally:
        await admin.drain(0.5)
