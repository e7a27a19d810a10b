"""What did a program ask of the API server, and what is done to it? Requests in their parts, and rules about them."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]+(?:/|$)))?(?:/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>.+))?)?)?$"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
UNCOUNTED = frozenset({"events", "leases", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews"})
"""Writes to these resources have no number: they come at any time, and nothing is lost with one."""


class Fault(Enum):
    """What is done to a request."""

    CUT = auto()
    """The connection ends; the server has seen the request only with When.AFTER."""
    DROP = auto()
    """No answer ever comes, and the connection stays open."""
    DELAY = auto()
    """It is passed on after `seconds`."""
    ANSWER = auto()
    """The proxy answers `status` itself; the server sees nothing."""
    TRUNCATE = auto()
    """The answer ends after `bytes` bytes, as if it were whole: JSON that cannot be read."""
    SILENCE = auto()
    """A watch that is open and on which nothing comes."""
    EVENT = auto()
    """A watch whose first event is an ERROR with `status`, such as 410, and that then ends."""


class When(Enum):
    """On which side of the server's work."""

    BEFORE = auto()
    AFTER = auto()


@dataclass
class Asked:
    """A request to the API server."""

    method: str
    path: str
    verb: str
    """As RBAC names it: get, list, watch, create, update, patch, delete, deletecollection."""
    resource: str
    subresource: str
    namespace: str
    name: str
    """Of the object; for a create from its body."""
    user_agent: str
    body: bytes = field(repr=False)
    at: float
    """Seconds of the monotonic clock."""
    number: int = 0
    """Which write it is, from 1; 0 for what is no counted write."""
    status: int = 0
    """What the server answered; 0 while it has not."""

    @property
    def is_write(self) -> bool:
        """It changes something."""
        return self.verb not in ("get", "list", "watch")

    @property
    def json(self) -> Any:
        """The body; apply bodies too, as our programs send JSON."""
        return json.loads(self.body) if self.body else None

    def __str__(self) -> str:
        number = f"#{self.number} " if self.number else ""
        sub = f"/{self.subresource}" if self.subresource else ""
        return f"{number}{self.verb} {self.resource}{sub} {self.namespace}/{self.name} -> {self.status}"


def _never_mind() -> None:
    """Nothing more is done at a cut."""


@dataclass
class Rule:
    """What is done to which requests: the first `skip` that match pass, then every `every`-th, at most `times`."""

    fault: Fault
    matches: Callable[[Asked], object] = lambda each: True
    when: When = When.BEFORE
    times: int | None = None
    skip: int = 0
    every: int = 1
    seconds: float = 0.0
    """Waited before anything else is done; with any fault."""
    status: int = 500
    message: str = "made by the fault proxy"
    body: Mapping[str, Any] | None = None
    """Instead of a Status object."""
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 40
    then: Callable[[], None] = _never_mind
    """Called at a cut, before the connection ends."""
    seen: int = 0
    taken: int = 0
    """How often it was applied."""

    def takes(self, each: Asked) -> bool:
        """Whether the rule is for this request; counts."""
        if not self.matches(each) or (self.times is not None and self.taken >= self.times):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        self.taken += 1
        return True

    def answer(self) -> Mapping[str, Any]:
        """The body of the proxy's own answer."""
        reason = {401: "Unauthorized", 403: "Forbidden", 409: "Conflict", 410: "Expired", 429: "TooManyRequests"}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message}
        return self.body or {**status, "reason": reason.get(self.status, "InternalError"), "code": self.status}


def is_write(each: Asked) -> bool:
    """For rules about counted writes."""
    return each.number > 0


def is_watch(*resources: str) -> Callable[[Asked], bool]:
    """For rules about watches, of these resources or of all."""
    return lambda each: each.verb == "watch" and (not resources or each.resource in resources)


def asked(method: str, url: str, headers: Mapping[str, str], body: bytes, number: int) -> Asked:
    """A request in its parts; `number` is that of the next counted write."""
    split = urlsplit(url)
    found = _PATH.match(split.path)
    part = {name: value or "" for name, value in found.groupdict().items()} if found else {}
    query = parse_qs(split.query)
    resource, name = part.get("resource", ""), part.get("name", "")
    verb = _verb(method, name, query)
    counted = method in _VERBS and resource not in UNCOUNTED and "dryRun" not in query
    return Asked(
        method=method,
        path=url,
        verb=verb,
        resource=resource,
        subresource=part.get("sub", ""),
        namespace=part.get("namespace", ""),
        name=name or _name_in(body, verb),
        user_agent=headers.get("User-Agent", ""),
        body=body,
        at=time.monotonic(),
        number=number if counted else 0,
    )


def _verb(method: str, name: str, query: Mapping[str, list[str]]) -> str:
    if method in _VERBS:
        return "deletecollection" if method == "DELETE" and not name else _VERBS[method]
    if query.get("watch", ["0"])[0] in ("1", "true"):
        return "watch"
    return "get" if name else "list"


def _name_in(body: bytes, verb: str) -> str:
    if verb != "create":
        return ""
    try:
        named = json.loads(body)["metadata"]
        return str(named.get("name") or named.get("generateName", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
