"""A program that writes for as long as it holds a lease: `python lease_writer.py KUBECONFIG NAMESPACE NAME TERM WALL`.

It creates one ConfigMap after another, named after itself and numbered, and prints a line for all that happens. TERM is
`duration,renew,margin,look` in seconds; WALL is how many seconds its time of day is wrong.
"""

import asyncio
import itertools
import sys
from datetime import timedelta

from mizzen_kube.api import Api, open_api
from mizzen_kube.errors import ApiError, FencedError
from mizzen_kube.kubeconfig import from_kubeconfig
from mizzen_kube.lease import Lease, Term, time_of_day

LABEL = "writer"
PAUSE_SECONDS = 0.02


def say(*words: object) -> None:
    """At once: somebody waits for it, and this process may be killed."""
    print(*words, flush=True)


async def write_on(api: Api, lease: Lease, namespace: str, name: str) -> None:
    """Try to write, held or not, for ever: the fence alone keeps it back."""
    fenced = api.fenced(lease.fence)
    for number in itertools.count():
        metadata = {"name": f"{name}-{number}", "namespace": namespace, "labels": {LABEL: name}}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        try:
            await fenced.create(manifest, field_manager=name)
            say("wrote", number)
        except FencedError:
            say("fenced", number)
            await asyncio.sleep(PAUSE_SECONDS)
        except ApiError as error:
            say("failed", number, error.word)
            await asyncio.sleep(PAUSE_SECONDS)


async def main(kubeconfig: str, namespace: str, name: str, term: str, wall: str) -> None:
    """Run until killed."""
    async with open_api(await from_kubeconfig(kubeconfig)) as api:
        lease = Lease(
            api,
            namespace,
            "leader",
            name,
            term=Term(*map(float, term.split(","))),
            wall=lambda: time_of_day() + timedelta(seconds=float(wall)),
        )
        say("starts")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lease.run())
            tasks.create_task(write_on(api, lease, namespace, name))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
