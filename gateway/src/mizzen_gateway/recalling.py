"""What has the response cache of a route to do with a request? Its key, and the answer that is kept for it."""

from dataclasses import dataclass

from mizzen_gateway.caching import ResponseCache, key_of
from mizzen_gateway.protocols.call import Call
from mizzen_gateway.stages import Caller
from mizzen_gateway.travelling import Travel
from mizzen_gateway.wire.request import Request


@dataclass(frozen=True, slots=True)
class Keep:
    """What the response cache has to do with a request."""

    key: bytes
    found: tuple[bytes, int] | None
    """A kept answer, and its age in seconds."""


def keep_for(cache: ResponseCache, call: Call, caller: Caller, request: Request, under_way: Travel) -> Keep | None:
    """None where it must neither recall nor keep."""
    rule, target = under_way.way.rule, under_way.leg.target
    if rule.cache is None:
        return None
    behind = (under_way.way.route.key, rule, target.facts.key, target.endpoint_set.traffic)
    key = key_of(rule.cache, call.operation, caller.project_id, request.headers, request.body, behind)
    if key is None:
        return None
    fresh = b"no-cache" in request.headers.get(b"cache-control", b"")
    found = None if fresh else cache.find(key, rule.cache.lifetime_seconds)
    under_way.copied = under_way.copied or found is not None
    return Keep(key, found)
