"""Starts a gateway: `python -m mizzen_gateway`, settings from the environment. SIGTERM drains and ends it.

With MIZZEN_WORKERS it is a supervisor of so many processes, and SIGHUP replaces them.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.settings import Settings, SettingsError, read_settings
from mizzen_gateway.telemetry.logs import set_up_logs
from mizzen_gateway.wire.inheritance import inheritance

CONFIG = "MIZZEN_GATEWAY_CONFIG"
"""Path of the file that a gateway goes by that runs alone."""
GRPC_EXPERIMENTS = "-event_engine_listener"
"""gRPC reads what callers send in the thread that already waits for what is done, instead of handing each read to one
of four others: a tenth of what a call takes in the library. It reads this when it is loaded."""
CANNOT_START = 2
"""Exit code where a setting, the port or the data folder does not let it start."""


def take_arguments(arguments: Sequence[str]) -> None:
    """Answer --help and --version, and end; keep --config; refuse everything else with exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m mizzen_gateway",
        description="The gateway of Mizzen: authenticates, routes and meters each call of a model.",
        epilog="It is set by environment variables: docs/reference/gateway.md lists them.",
    )
    parser.add_argument("--config", metavar="FILE", help="gateway.yaml: runs alone, without a control plane")
    parser.add_argument("--version", action="version", version=f"mizzen-gateway {version('mizzen-gateway')}")
    given = parser.parse_args(arguments)
    if given.config is not None:
        os.environ[CONFIG] = given.config  # for workers, too


def run(settings: Settings) -> int:
    """Exit code. What a process does not need it does not load: a supervisor holds sockets, not feeds."""
    inherited = inheritance()
    if settings.workers and inherited is None:
        from mizzen_gateway.workers.supervising import supervise

        return supervise(settings)
    from mizzen_gateway.process import run_alone, run_as_worker

    if inherited is None:
        run_alone(settings)
    else:
        run_as_worker(settings, inherited)
    return 0


def run_alone(file: Path) -> int:
    """Exit code. Raises CannotStartError, in the words of the file."""
    from mizzen_gateway.standalone.settings import in_words_of_the_file, settings_of  # here: an installation has none

    try:
        return run(settings_of(file))
    except CannotStartError as error:
        raise CannotStartError(in_words_of_the_file(str(error))) from error


def main() -> int:
    """Exit code."""
    set_up_logs(os.environ.get("MIZZEN_LOG_LEVEL", "INFO"))
    os.environ.setdefault("GRPC_EXPERIMENTS", GRPC_EXPERIMENTS)
    file = os.environ.get(CONFIG)
    try:
        return run_alone(Path(file)) if file else run(read_settings())
    except (SettingsError, CannotStartError) as error:
        sys.stderr.write(f"mizzen-gateway: {error}\n")
        return CANNOT_START


if __name__ == "__main__":
    take_arguments(sys.argv[1:])
    sys.exit(main())
