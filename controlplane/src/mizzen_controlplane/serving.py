"""How the application is served: the schema first, then uvicorn on a socket that listens already."""

import asyncio
import socket
import ssl
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from mizzen_kube.tls_secret import Certificate, unusable

from mizzen_controlplane.app import create_app
from mizzen_controlplane.egress.start import policy_in
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.settings import Settings, SettingsError
from mizzen_controlplane.schema import upgrade


def serve(settings: Settings, listener: socket.socket) -> int:
    """Serve until SIGTERM; raises SettingsError, or SchemaError, before anything is answered."""
    certificate = certificate_in(settings.tls_dir)
    policy_in(settings)
    asyncio.run(_upgrade(settings))
    config = uvicorn.Config(
        create_app(settings), loop="uvloop", http="httptools", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=5, timeout_keep_alive=75, lifespan="on",
        proxy_headers=False,  # only those of MIZZEN_TRUSTED_PROXIES are believed (kit/transport.py)
    )  # fmt: skip
    config.load()
    # After `load`, which would make a context of its own that no renewed certificate reaches.
    config.ssl = certificate.context if certificate is not None else None
    _Server(config, certificate).run(sockets=[listener])
    return 0


def certificate_in(folder: Path | None) -> Certificate | None:
    """The certificate of MIZZEN_TLS_DIR; None for plain HTTP. Raises SettingsError."""
    if folder is None:
        return None
    try:
        return Certificate(folder)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(unusable(folder, error)) from error


class _Server(uvicorn.Server):
    """Keeps its certificate renewed; ends the feeds first, which would else be open until the grace period is over."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate | None) -> None:
        super().__init__(config)
        self._certificate = certificate

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        if self._certificate is None:
            return await super().serve(sockets)
        renewing = asyncio.create_task(self._certificate.keep_renewed(), name="certificate")
        try:
            return await super().serve(sockets)
        finally:
            renewing.cancel()

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
