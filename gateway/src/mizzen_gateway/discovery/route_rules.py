"""A rule of a ModelRoute, as the gateway goes by it."""

from mizzen_crds.v1alpha1.model_route.backends import BackendRef
from mizzen_crds.v1alpha1.model_route.backends import Fallback as FallbackSpec
from mizzen_crds.v1alpha1.model_route.route_rule import (
    CachedOutputs,
    HeaderMatch,
    Hedge,
    HedgeAfter,
    ResponseCache,
    Retries,
    RetryCause,
    RouteRule,
    Sticky,
    StickyBy,
)

from mizzen_gateway.routing.route import (
    EVERY_CAUSE,
    CacheFacts,
    Cause,
    Fallback,
    HeaderTest,
    HedgeFacts,
    Ref,
    RuleFacts,
    StepFacts,
)

DEFAULT_RETRY_CAUSES = (RetryCause.CONNECTION_FAILED, RetryCause.UNAVAILABLE)


def rule_facts(rule: RouteRule) -> RuleFacts:
    """Facts of a rule that the operator has accepted."""
    timeouts = rule.timeouts
    return RuleFacts(
        name=rule.name,
        backends=tuple((_ref(one), one.weight) for one in rule.backends if one.weight),
        fallbacks=tuple(_fallback(one) for one in rule.fallbacks),
        matches=tuple(tuple(_test(header) for header in match.headers) for match in rule.matches),
        mirrors=tuple((_ref(one), one.percent) for one in rule.mirrors),
        sticky=_sticky(rule.sticky),
        pipeline=tuple(
            StepFacts(step.name, _ref(step), tuple((one.name, one.step, one.output) for one in step.inputs))
            for step in rule.pipeline
        ),
        cache=_cache(rule.cache),
        # What is as by default was not asked for: the API server fills it in where it is absent.
        attempts=rule.retries.attempts if rule.retries != Retries() else None,
        retries=frozenset(one.value for one in rule.retries.causes or DEFAULT_RETRY_CAUSES),
        hedge=_hedge(rule.hedge),
        request_seconds=timeouts.request_seconds,
        first_byte_seconds=timeouts.first_byte_seconds,
        idle_seconds=timeouts.idle_seconds,
    )


def _ref(one: BackendRef) -> Ref:
    if one.deployment is not None:
        return Ref("deployment", one.deployment)
    return Ref("model", one.model) if one.model is not None else Ref("route", one.route or "")


def _fallback(one: FallbackSpec) -> Fallback:
    return Fallback(_ref(one), frozenset(Cause(cause.value) for cause in one.causes) or EVERY_CAUSE)


def _test(header: HeaderMatch) -> HeaderTest:
    return HeaderTest(header.name.encode(), header.type.value, (header.value or "").encode())


def _cache(cache: ResponseCache | None) -> CacheFacts | None:
    if cache is None:
        return None
    return CacheFacts(cache.lifetime_seconds, sampled=cache.outputs is CachedOutputs.SAMPLED)


def _hedge(hedge: Hedge | None) -> HedgeFacts | None:
    if hedge is None:
        return None
    return HedgeFacts(hedge.delay_milliseconds / 1000, measured=hedge.after is HedgeAfter.P95)


def _sticky(sticky: Sticky | None) -> bytes | None:
    if sticky is None:
        return None
    return b"" if sticky.by is StickyBy.KEY else (sticky.header or "").encode()
