"""What has the response cache of a route to do with a request? Its key, and the answer that is kept for it."""

from mizzen_gateway.caching import Keep, ResponseCache, key_of, oldest_wanted
from mizzen_gateway.protocols.call import Call
from mizzen_gateway.stages import Caller
from mizzen_gateway.travelling import Travel
from mizzen_gateway.wire.request import Request


def keep_for(cache: ResponseCache, call: Call, caller: Caller, request: Request, under_way: Travel) -> Keep | None:
    """None where it must neither recall nor keep."""
    rule, target = under_way.way.rule, under_way.leg.target
    if rule.cache is None or not under_way.answers:
        return None
    if under_way.keep is not None:
        return under_way.keep
    if under_way.asked is not None:  # what the last step is asked follows from it and from all models before
        call, request = under_way.asked
    steps = tuple((leg.target.facts.key, leg.target.endpoint_set.traffic) for _, leg in under_way.way.steps)
    behind = (under_way.way.route.key, rule, target.facts.key, target.endpoint_set.traffic, steps)
    oldest = oldest_wanted(request.headers)
    if oldest is None:
        return None
    varying = [request.headers.get(name) for name in cache.varies]
    key = key_of(rule.cache, call.operation, caller.project_id, varying, request.body, behind)
    if key is None:
        return None
    found = cache.find(key, rule.cache.lifetime_seconds, oldest)
    under_way.copied = under_way.copied or found is not None
    return Keep(key, found)
