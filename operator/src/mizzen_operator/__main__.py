"""`python -m mizzen_operator`: ModelDeployments become pods. Settings come from the environment."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version


def take_arguments(arguments: Sequence[str]) -> None:
    """Answer --help and --version, and end; refuse everything else with exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m mizzen_operator",
        description="The operator of Mizzen: ModelDeployments become pods.",
        epilog="It is set by environment variables: docs/reference/operator-settings.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"mizzen-operator {version('mizzen-operator')}")
    parser.parse_args(arguments)


def main() -> int:
    """Run; returns the exit code."""
    # It takes a second to import; who asks for help need not wait for that.
    from mizzen_operator.process import main as run

    return run()


if __name__ == "__main__":
    take_arguments(sys.argv[1:])
    sys.exit(main())
