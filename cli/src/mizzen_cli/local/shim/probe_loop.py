"""When do results in a row change what is believed of a container? The kubelet's thresholds."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from mizzen_cli.local.pod.manifest import Probe

QUICK_SECONDS = 0.25
Try = Callable[[Probe], Awaitable[str]]
"""One try of a probe: what went wrong, or an empty string."""
Verdict = Callable[[bool, str], None]
"""Called at each change of what is believed, and each time the failure threshold is reached anew."""


async def watch_probe(probe: Probe, attempt: Try, verdict: Verdict) -> None:
    """Try for ever; tell `verdict` True after `success` good tries in a row and False after `failure` bad ones."""
    await asyncio.sleep(probe.initial_delay)
    row, last_good = 0, None
    while True:
        problem = await attempt(probe)
        good = not problem
        row = row + 1 if good == last_good else 1
        last_good = good
        if row == (probe.success if good else probe.failure):
            verdict(good, problem)
        await asyncio.sleep(probe.period)


async def wait_for_start(probe: Probe, attempt: Try) -> str:
    """Try until the probe holds (returns an empty string) or its time is over (returns why).

    The time is that of `failure` periods. A request costs nothing here, so it is tried more often than a cluster would.
    """
    await asyncio.sleep(probe.initial_delay)
    pause = probe.period if probe.action.command else min(probe.period, QUICK_SECONDS)
    tries = math.ceil(probe.failure * probe.period / pause)
    problem = ""
    for number in range(tries):
        problem = await attempt(probe)
        if not problem:
            return ""
        if number + 1 < tries:
            await asyncio.sleep(pause)
    return problem
