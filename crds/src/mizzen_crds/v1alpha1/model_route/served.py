"""Which parts of a route do gateways not do yet? The operator refuses a route for them, and no gateway follows it.

Operator and gateway ask the same function, so that neither takes for done what the other leaves out.
"""

from collections.abc import Iterator

from mizzen_crds.v1alpha1.model_route.backends import BackendRef, FallbackCause
from mizzen_crds.v1alpha1.model_route.model_route import ModelRouteSpec
from mizzen_crds.v1alpha1.model_route.route_rule import Retries, RouteRule, Timeouts

SERVED_CAUSES = [FallbackCause.NOT_READY]
"""Causes of a fallback that gateways act on; a fallback must name exactly these."""


def unserved_fields(spec: ModelRouteSpec) -> tuple[str, ...]:
    """Return the fields that gateways do not act on, e.g. `spec.rules[0].mirrors`; empty where they do all of it."""
    return tuple(path for number, rule in enumerate(spec.rules) for path in _of_rule(rule, f"spec.rules[{number}]"))


def _of_rule(rule: RouteRule, path: str) -> Iterator[str]:
    if rule.matches:
        yield f"{path}.matches"
    for number, backend in enumerate(rule.backends):
        yield from _of_target(backend, f"{path}.backends[{number}]")
    for number, fallback in enumerate(rule.fallbacks):
        yield from _of_target(fallback, f"{path}.fallbacks[{number}]")
        if fallback.causes != SERVED_CAUSES:
            yield f"{path}.fallbacks[{number}].causes"
    if rule.mirrors:
        yield f"{path}.mirrors"
    if rule.pipeline:
        yield f"{path}.pipeline"
    # The API server fills these two in where they are absent, so what is as by default was not asked for.
    if rule.retries != Retries():
        yield f"{path}.retries"
    if rule.timeouts != Timeouts():
        yield f"{path}.timeouts"


def _of_target(ref: BackendRef, path: str) -> Iterator[str]:
    if ref.model is not None:
        yield f"{path}.model"
    if ref.route is not None:
        yield f"{path}.route"
