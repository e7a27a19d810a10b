"""Starts a simulated engine: `python -m mizzen_engines.simulated [--decode-ms 5 ...]`. SIGTERM lets requests end."""

import os
import sys

from aiohttp import web

from mizzen_engines.simulated.server import SimulatedEngine
from mizzen_engines.simulated.settings import read


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings, listener = read(sys.argv[1:], os.environ)
    engine = SimulatedEngine(settings, listener.model)
    sys.stderr.write(
        f"simulated engine (no model is computed): {listener.model} on http://{listener.host}:{listener.port}\n"
    )
    web.run_app(
        engine.application(),
        host=listener.host,
        port=listener.port,
        handler_cancellation=True,
        shutdown_timeout=30.0,
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
