"""How the application is served: the schema first, then uvicorn on a socket that listens already."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from mizzen_controlplane.app import create_app
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.schema import upgrade


def serve(settings: Settings, listener: socket.socket) -> int:
    """Serve until SIGTERM; raises SchemaError before anything is answered."""
    asyncio.run(_upgrade(settings))
    config = uvicorn.Config(
        create_app(settings), loop="uvloop", http="httptools", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=5, timeout_keep_alive=75, lifespan="on",
    )  # fmt: skip
    _Server(config).run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """Ends the feeds first, which would else be open until the grace period is over."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, FastAPI) and hasattr(app.state, "plane"):
            app.state.plane.database.signals.end_feeds()
        await super().shutdown(sockets)


async def _upgrade(settings: Settings) -> None:
    """Before the server starts, so that a schema that does not fit is said in one sentence."""
    database = open_database(settings.database_url)
    try:
        await upgrade(database)
    finally:
        await database.close()
