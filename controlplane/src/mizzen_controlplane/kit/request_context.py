"""Which request is being answered: its id, for problems, audit events and log lines, and from where it came."""

import re
from contextvars import ContextVar

from mizzen_controlplane.kit.ids import new_id

_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_ADDRESS: ContextVar[str] = ContextVar("address", default="")
_ACCEPTABLE = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


def current_request_id() -> str:
    """Id of the request under way; empty outside of one."""
    return _REQUEST_ID.get()


def current_address() -> str:
    """Address of the caller of the request under way; empty outside of one."""
    return _ADDRESS.get()


def begin_request(offered: str, address: str = "") -> str:
    """Take the caller's id where it is harmless, or make one; remember it, and the address, for this task."""
    _ADDRESS.set(address)
    request_id = offered if _ACCEPTABLE.match(offered) else new_id("req")
    _REQUEST_ID.set(request_id)
    return request_id
