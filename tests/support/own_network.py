"""How does a test run programs that insist on listening everywhere? In a network of its own, with a loopback alone.

`@in_own_network(prepare)` runs a test once more, as its only test, in a network namespace: what listens on all
addresses there is reached by nobody else. Nothing can be fetched from inside, so `prepare` is called before.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

_P = ParamSpec("_P")
_ROOT = Path(__file__).resolve().parents[2]
_MARK = "MIZZEN_TEST_IN_OWN_NETWORK"
_ENTER = 'ip link set lo up && exec "$@"'


def in_own_network(prepare: Callable[[], object]) -> Callable[[Callable[_P, None]], Callable[_P, None]]:
    """Run a test inside; what it prints is shown, and it fails where it fails inside."""

    def decorate(test: Callable[_P, None]) -> Callable[_P, None]:
        @functools.wraps(test)
        def run(*arguments: _P.args, **fixtures: _P.kwargs) -> None:
            if _MARK in os.environ:
                test(*arguments, **fixtures)
                return
            prepare()
            name = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
            ended = subprocess.run(_inside(name), cwd=_ROOT, env={**os.environ, _MARK: "1"}, check=False)
            assert ended.returncode == 0, f"{name} failed in a network of its own; see above"

        return run

    return decorate


def _inside(name: str) -> list[str]:
    """The command that ends with this process; without root, the namespace belongs to a user namespace."""
    whose = [] if os.getuid() == 0 else ["--map-current-user", "--keep-caps"]
    pytest = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "--timeout", "0", name]
    return ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", *whose, "sh", "-c", _ENTER, "sh", *pytest]
