"""`python -m mizzen_controlplane` serves; `python -m mizzen_controlplane openapi` prints the OpenAPI document."""

import argparse
import asyncio
import errno
import socket
import sys
from pathlib import Path

import orjson
import uvicorn

from mizzen_controlplane.app import create_app
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.logs import configure_logs
from mizzen_controlplane.kit.secret_folder import read_secrets
from mizzen_controlplane.kit.settings import Settings, SettingsError, settings_from
from mizzen_controlplane.models.blob_folder import prepare_folder
from mizzen_controlplane.openapi import openapi_document
from mizzen_controlplane.schema import SchemaError, upgrade

CANNOT_START = 2


def main() -> int:
    """Run; returns the exit code: 0, or 2 where the process cannot start, with one sentence that says why."""
    parser = argparse.ArgumentParser(prog="python -m mizzen_controlplane", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["serve", "openapi"], default="serve")
    if parser.parse_args().command == "openapi":
        app = create_app(Settings("sqlite+aiosqlite:///", Path(), Path()))
        sys.stdout.buffer.write(orjson.dumps(openapi_document(app), option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    configure_logs()
    try:
        settings = settings_from()
        read_secrets(settings.secrets_dir)
        prepare_folder(settings.data_dir)
        listener = _listen(settings.host, settings.port)
        asyncio.run(_upgrade(settings))
    except (SettingsError, SchemaError) as error:
        return _refuse(error)
    return _serve(settings, listener)


def _serve(settings: Settings, listener: socket.socket) -> int:
    config = uvicorn.Config(
        create_app(settings), loop="uvloop", http="httptools", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=5, timeout_keep_alive=75, lifespan="on",
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])
    return 0


async def _upgrade(settings: Settings) -> None:
    """Before anything listens, so that a schema that does not fit is said in one sentence."""
    database = open_database(settings.database_url)
    try:
        await upgrade(database)
    finally:
        await database.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {port} on {host} is already in use: stop what listens there, or set MIZZEN_PORT to a free port."
            ) from error
        raise SettingsError(
            f"MIZZEN_HOST={host}, MIZZEN_PORT={port} cannot be listened on ({error.strerror}). "
            "Give an address of this machine and a port that this user may open."
        ) from error
    return listener


def _refuse(error: Exception) -> int:
    sys.stderr.write(f"mizzen_controlplane: {error}\n")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
