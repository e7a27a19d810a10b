"""How a process is started so that it outlives whoever started it: own session, clean environment, no terminal."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mizzen_cli.local.process_identity import ProcessIdentity, identity_of

PRIVATE_UMASK = 0o077
"""Of everything that is started here: files and folders that it makes are its user's alone."""
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Kept so that ended children are reaped, and are not warned about when they outlive us.
_children: list[subprocess.Popen[bytes]] = []


def spawn_detached(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> ProcessIdentity:
    """Start a process in its own session; stdout and stderr are appended to `log`. Raises OSError."""
    reap_children()
    with log.open("ab", buffering=0) as output:
        child = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
    _children.append(child)
    identity = identity_of(child.pid)
    assert identity is not None, "an unreaped child keeps its number"
    return identity


def reap_children() -> None:
    """Take the exit codes of children that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


INSTALLER_NAMES = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PIP_CERT",
)  # fmt: skip


def installer_environment() -> dict[str, str]:
    """What the installer of packages needs of the caller's environment: indexes and proxies. No pod ever gets it."""
    return {name: value for name, value in os.environ.items() if name in INSTALLER_NAMES or name.startswith("UV_")}


def base_environment() -> dict[str, str]:
    """What every process of Mizzen gets of the caller's environment: nothing that could be a secret."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE") if name in os.environ}
    home = os.environ.get("HOME") or str(Path("~").expanduser())
    return {"PATH": STANDARD_PATH, "HOME": home, "LANG": "C.UTF-8", **kept, "PYTHONUNBUFFERED": "1"}
