"""`python gateway_in_pod.py FOLDER`: the gateway as it runs in a pod, with FOLDER as its service account's.

Two things that a pod has are played. Its API server's address and token come from FOLDER, not from the place where a
kubelet would put them. And its network: an API server refuses loopback addresses in EndpointSlices, so that pods have
addresses 10.127.x.y, which lead to 127.x.y of this machine.

Asked by SIGUSR1, it writes which modules it has loaded to FOLDER/modules.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import mizzen_kube.environment
import uvloop
from mizzen_gateway.__main__ import main
from mizzen_kube.connection import Connection

POD_NETWORK = "10.127."


async def _of_the_pod(_environment: Any = None) -> Connection:
    connection = mizzen_kube.environment.in_cluster(os.environ, Path(sys.argv[1]))
    assert connection is not None
    return connection


def _tell_modules(_number: int, _frame: object) -> None:
    folder = Path(sys.argv[1])
    (folder / "modules.new").write_text("\n".join(sorted(sys.modules)))
    (folder / "modules.new").rename(folder / "modules")


class _Loop(uvloop.Loop):
    async def create_connection(self, factory: Any, host: Any = None, *arguments: Any, **named: Any) -> Any:
        """To pods by their addresses."""
        if isinstance(host, str) and host.startswith(POD_NETWORK):
            host = "127." + host.removeprefix(POD_NETWORK)
        return await super().create_connection(factory, host, *arguments, **named)


if __name__ == "__main__":
    # What a pod has of itself, a test plays; so nothing of the gateway knows of tests.
    for module, name, played in (
        (mizzen_kube.environment, "from_environment", _of_the_pod),
        (uvloop, "Loop", _Loop),
        (uvloop, "new_event_loop", _Loop),
    ):
        setattr(module, name, played)
    signal.signal(signal.SIGUSR1, _tell_modules)
    sys.exit(main())
