"""Which fault does a request ask for? `slow`, `error`, `hang` or `die`; ignored without MIZZEN_SIM_FAULTS=1."""

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Any

from aiohttp import web

KINDS = ("slow", "error", "hang", "die")


@dataclass(frozen=True)
class Fault:
    """`kind=number`: slow=milliseconds a token, error=status, hang=after so many tokens, die=after so many tokens."""

    kind: str
    number: int


NO_FAULT = Fault("", 0)


def asked_for(request: web.Request, body: dict[str, Any], enabled: bool) -> Fault:
    """The fault in the header `x-simulate`, or in the body's field `x_simulate` (for callers behind a gateway)."""
    if not enabled:
        return NO_FAULT
    text = request.headers.get("x-simulate") or str(body.get("x_simulate") or "")
    kind, _, number = text.partition("=")
    if kind not in KINDS:
        return NO_FAULT
    default = {"slow": 200, "error": 500}.get(kind, 0)
    return Fault(kind, int(number) if number.isdigit() else default)


async def before_token(fault: Fault, tokens_given: int) -> None:
    """Carry out the fault when its token has come."""
    if fault.kind == "slow":
        await asyncio.sleep(fault.number / 1000)
    if fault.kind == "hang" and tokens_given >= fault.number:
        await asyncio.Event().wait()
    if fault.kind == "die" and tokens_given >= fault.number:
        os.kill(os.getpid(), signal.SIGKILL)
