"""Gateways run on uvloop, so their tests do."""

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """For pytest-asyncio."""
    return {"uvloop": uvloop.new_event_loop}
