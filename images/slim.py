"""What of an environment does no program need? Run at the end of a build stage: `python3 slim.py /opt/mizzen`.

Packages named after it go as well: `kubernetes`, for example, which only reads a kubeconfig, and a pod has none.
"""

import shutil
import sys
from pathlib import Path

UNNEEDED = (
    "lib/python3.*/site-packages/onnx/backend/test",
    "lib/python3.*/site-packages/onnx/test",
    "lib/python3.*/site-packages/greenlet/tests",
    "lib/python3.*/site-packages/kopf/testing.py",
    "lib/python3.*/site-packages/**/*.pyi",
    "lib/python3.*/site-packages/**/*.h",
    "lib/python3.*/site-packages/**/*.pyx",
    "lib/python3.*/site-packages/**/*.pxd",
    "include",
)
"""Test data, and what only compilers and type checkers read; never a licence."""


def slim(environment: Path, *packages: str) -> int:
    """Remove it; returns how many files and folders went. Links keep their targets."""
    patterns = (*UNNEEDED, *(f"lib/python3.*/site-packages/{package}" for package in packages))
    found = [path for pattern in patterns for path in environment.glob(pattern)]
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    return len(found)


if __name__ == "__main__":
    sys.stdout.write(f"slim: {slim(Path(sys.argv[1]), *sys.argv[2:])} files and folders removed\n")
