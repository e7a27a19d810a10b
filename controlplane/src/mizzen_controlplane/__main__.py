"""`python -m mizzen_controlplane` serves; `openapi` prints the OpenAPI document; `secrets` makes those of a cluster."""

import argparse
import errno
import gc
import socket
import sys
from importlib.metadata import version

from mizzen_controlplane.kit.logs import configure_logs
from mizzen_controlplane.kit.secret_folder import ADMIN_ALONE, PROGRAMS, read_secrets
from mizzen_controlplane.kit.settings import Settings, SettingsError, settings_from
from mizzen_controlplane.models.blob_folder import prepare_folder
from mizzen_controlplane.models.content.opening import open_content

CANNOT_START = 2


def main() -> int:
    """Run; returns the exit code: 0, or 2 where the process cannot start, with one sentence that says why."""
    command = _command()
    if command == "openapi":
        return _print_openapi()
    configure_logs()
    try:
        if command == "secrets":
            return _lay_out_secrets()
        settings = settings_from()
        read_secrets(settings.secrets_dir, ADMIN_ALONE if settings.accounts else PROGRAMS, settings.named_secrets)
        prepare_folder(settings.data_dir)
        open_content(settings)
        return _serve(settings, _listen(settings.host, settings.port))
    except SettingsError as error:
        sys.stderr.write(f"mizzen_controlplane: {error}\n")
        return CANNOT_START


def _command() -> str:
    parser = argparse.ArgumentParser(
        prog="python -m mizzen_controlplane",
        description="The control plane of Mizzen: who may use which model, and how much.",
        epilog="It is set by environment variables: docs/reference/between-programs.md lists them.",
    )
    commands = "serve: run (the default); openapi: print the OpenAPI document; secrets: make those of a cluster"
    parser.add_argument("command", nargs="?", choices=["serve", "openapi", "secrets"], default="serve", help=commands)
    parser.add_argument("--version", action="version", version=f"mizzen-controlplane {version('mizzen-controlplane')}")
    return str(parser.parse_args().command)


def _serve(settings: Settings, listener: socket.socket) -> int:
    # The application takes a second to import; what is wrong with the settings is said before that. A fifth of it went
    # into looking for cycles among what stays for good.
    gc.disable()
    from mizzen_controlplane.serving import serve

    gc.freeze()
    gc.enable()
    return serve(settings, listener)


def _lay_out_secrets() -> int:
    from mizzen_controlplane.cluster.first_start import lay_out_secrets

    lay_out_secrets()
    return 0


def _print_openapi() -> int:
    from mizzen_controlplane.openapi import openapi_text

    sys.stdout.buffer.write(openapi_text())
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
