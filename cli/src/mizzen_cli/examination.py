"""What `mizzen doctor` looks at: does this machine have what Mizzen needs, and how to get what it lacks."""

import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mizzen_operator.runtimes.builtin import builtin_runtimes

from mizzen_cli.local.data_folder import DataFolderError
from mizzen_cli.local.environments import EnvironmentMissingError, Environments, default_cache, find_uv
from mizzen_cli.local.lifecycle import status
from mizzen_cli.local.ports import Ports, holder_of, is_free

LEAST_FREE_BYTES = 2 * 10**9
PYTHON_FLOOR = (3, 11)
TRITON_PYTHON_CEILING = (3, 12)
"""The bundled server's Python backend has no working stub beyond it."""


@dataclass(frozen=True)
class Finding:
    """One check."""

    name: str
    state: str
    """ok, missing, or later (Mizzen starts without it, and something else will want it)."""
    detail: str
    remedy: str = ""


async def examine(data_dir: Path) -> list[Finding]:
    """Every check, in the order in which a newcomer meets what it checks."""
    checks: tuple[Callable[[], Finding], ...] = (
        _machine,
        _python,
        _python_for_triton,
        _uv,
        lambda: _writable("data folder", data_dir, "--data-dir"),
        lambda: _writable("cache folder", default_cache(), "XDG_CACHE_HOME"),
        lambda: _disk(data_dir),
        lambda: _ports(data_dir),
    )
    return [*(check() for check in checks), *_engines()]


def _machine() -> Finding:
    here = f"{platform.system()} {platform.machine()}"
    if here == "Linux x86_64":
        return Finding("machine", "ok", here)
    return Finding("machine", "missing", here, "Triton and vLLM come as Linux x86_64 programs: use such a machine.")


def _python() -> Finding:
    here = platform.python_version()
    if sys.version_info[:2] >= PYTHON_FLOOR:
        return Finding("python", "ok", here)
    return Finding("python", "missing", here, "Install Python 3.11 or newer.")


def _python_for_triton() -> Finding:
    version = platform.python_version().rpartition(".")[0]
    library = f"libpython{version}.so.1.0"
    folders = (sysconfig.get_config_var("LIBDIR"), f"{sys.base_prefix}/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64")
    if sys.version_info[:2] > TRITON_PYTHON_CEILING:
        return Finding(
            "triton's python", "later", version, "Triton runs here on Python 3.11 and 3.12: make setup with one."
        )
    if any(folder and (Path(folder) / library).exists() for folder in folders):
        return Finding("triton's python", "ok", library)
    remedy = f"Install Python's shared library, on Debian: apt-get install libpython{version}"
    return Finding("triton's python", "later", f"{library} is not installed", remedy)


def _uv() -> Finding:
    try:
        return Finding("uv", "ok", find_uv())
    except EnvironmentMissingError as error:
        return Finding("uv", "missing", str(error), "pip install uv")


def _writable(name: str, folder: Path, setting: str) -> Finding:
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    if os.access(nearest, os.W_OK):
        return Finding(name, "ok", str(folder))
    return Finding(
        name, "missing", f"{nearest} is not writable", f"Choose another one with {setting}, or change its owner."
    )


def _disk(folder: Path) -> Finding:
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    free = shutil.disk_usage(nearest).free
    detail = f"{free / 1e9:.1f} GB free at {nearest}"
    if free >= LEAST_FREE_BYTES:
        return Finding("disk", "ok", detail)
    return Finding("disk", "missing", detail, f"Free {LEAST_FREE_BYTES / 1e9:.0f} GB, or name another --data-dir.")


def _ports(data_dir: Path) -> Finding:
    try:
        seen = status(data_dir)
    except DataFolderError:
        seen = None  # the row of the data folder tells what is wrong with it
    if seen and any(each.state != "stopped" for each in seen.programs):
        urls = " and ".join(each.url.rpartition(":")[2] for each in seen.programs if each.url)
        return Finding("ports", "ok", f"{urls} are held by this Mizzen, which runs")
    wanted = Ports()
    taken = [port for port in (wanted.controlplane, wanted.gateway) if not is_free(port)]
    if not taken:
        return Finding("ports", "ok", f"{wanted.controlplane} and {wanted.gateway} are free")
    text = ", ".join(f"{port} by {holder_of(port)}" for port in taken)
    return Finding("ports", "later", f"in use: {text}", "Choose others: mizzen up --port PORT --gateway-port PORT")


def _engines() -> list[Finding]:
    environments = Environments(default_cache())
    found = []
    for name, runtime in builtin_runtimes().items():
        if environments.ready(runtime.spec.local):
            found.append(Finding(f"engine {name}", "ok", "installed"))
        else:
            found.append(Finding(f"engine {name}", "later", "not installed", f"mizzen engines install {name}"))
    return found
