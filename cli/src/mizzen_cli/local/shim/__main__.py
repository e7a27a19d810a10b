"""`python -m mizzen_cli.local.shim FOLDER`: run the pod whose sandbox is FOLDER."""

import asyncio
import sys
from pathlib import Path

from mizzen_cli.local.shim.pod_run import run_pod


def main() -> int:
    """Run until the pod has ended."""
    if len(sys.argv) != 2:
        print("usage: python -m mizzen_cli.local.shim FOLDER", file=sys.stderr)
        return 2
    asyncio.run(run_pod(Path(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
