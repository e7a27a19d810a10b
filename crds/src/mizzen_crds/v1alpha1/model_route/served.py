"""Which parts of a route do gateways not do yet? The operator refuses a route for them, and no gateway follows it.

Operator and gateway ask the same function, so that neither takes for done what the other leaves out.
"""

from collections.abc import Iterator

from mizzen_crds.v1alpha1.model_route.model_route import ModelRouteSpec
from mizzen_crds.v1alpha1.model_route.route_rule import RouteRule


def unserved_fields(spec: ModelRouteSpec) -> tuple[str, ...]:
    """Return the fields that gateways do not act on, e.g. `spec.rules[0].mirrors`; empty where they do all of it."""
    return tuple(path for number, rule in enumerate(spec.rules) for path in _of_rule(rule, f"spec.rules[{number}]"))


def _of_rule(rule: RouteRule, path: str) -> Iterator[str]:
    """Of a pipeline each step is one model: there is no other to choose, to copy to or to fall back on."""
    if not rule.pipeline:
        return
    beside = {
        "fallbacks": rule.fallbacks,
        "mirrors": rule.mirrors,
        "sticky": rule.sticky,
        "cache": rule.cache,
    }
    for field, given in beside.items():
        if given:
            yield f"{path}.{field}"
    for number, step in enumerate(rule.pipeline):
        if step.route is not None:
            yield f"{path}.pipeline[{number}].route"
