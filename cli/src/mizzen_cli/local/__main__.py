"""`python -m mizzen_cli.local up|down|status`: the life of an installation, without the rest of the command line."""

import argparse
import sys
from pathlib import Path

from mizzen_cli.errors import CommandError
from mizzen_cli.local.data_folder import default_data_dir
from mizzen_cli.local.lifecycle import UpOptions, down, status, up


def main() -> int:
    """Parse, call one function, print."""
    parser = argparse.ArgumentParser(prog="python -m mizzen_cli.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status"])
    parser.add_argument("--data-dir", type=Path, default=default_data_dir())
    parser.add_argument("--port", type=int)
    parser.add_argument("--gateway-port", type=int)
    parser.add_argument("--grpc-port", type=int)
    given = parser.parse_args()
    try:
        if given.command == "up":
            result = up(UpOptions(given.data_dir, given.port, given.gateway_port, given.grpc_port), print)
            print(f"control plane {result.controlplane_url}\ngateway {result.gateway_url}\n{result.seconds:.1f} s")
        elif given.command == "down":
            print("stopped" if down(given.data_dir, print) else "nothing ran")
        else:
            show(given.data_dir)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.code)
    return 0


def show(data_dir: Path) -> None:
    """Print what runs."""
    seen = status(data_dir)
    if seen is None:
        print(f"no data folder {data_dir}")
        return
    for program in seen.programs:
        print(f"{program.name}: {program.state} pid={program.pid} restarts={program.restarts} {program.url}")
    for pod in seen.pods:
        print(f"pod {pod.namespace}/{pod.name}: {pod.state} {pod.address} restarts={pod.restarts} {pod.message}")


if __name__ == "__main__":
    sys.exit(main())
