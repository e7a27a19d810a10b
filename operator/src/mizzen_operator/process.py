"""The operator as a process: its logs, its memory, its signals, and the exit code where it cannot start."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys

import orjson
import structlog
from mizzen_kube.environment import from_environment, own_namespace
from prometheus_client import disable_created_metrics

from mizzen_operator.operation import operate
from mizzen_operator.settings import SettingError, Settings, settings_from

OBJECTS_PER_COLLECTION = 20_000
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(level: str) -> None:
    """JSON lines on standard output; libraries speak up from a warning on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str, option=orjson.OPT_NON_STR_KEYS),
        ],
        logger_factory=structlog.BytesLoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stdout, format='{"library": "%(name)s", "event": "%(message)s"}'
    )


def collect_seldom() -> None:
    """What was imported stays for good, and a pass makes tens of thousands of objects that die by themselves.

    By default about a tenth of the CPU of a busy operator goes into looking for cycles among them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION, 20, 20)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM. Pods go on without the operator. SettingError where nothing says where the API server is."""
    try:
        connection = await from_environment()
    except ValueError as error:
        raise SettingError(str(error)) from error
    task = asyncio.ensure_future(operate(settings, connection))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    """Run. Exit code 2 where the environment says something that cannot be."""
    try:
        settings = settings_from(os.environ, own_namespace(""))
        configure_logs(settings.log_level)
        collect_seldom()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
        asyncio.run(serve(settings))
    except SettingError as error:
        sys.stderr.write(f"mizzen operator: {error}\n")
        return 2
    return 0
