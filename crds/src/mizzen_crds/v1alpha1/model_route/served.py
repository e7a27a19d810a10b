"""Which parts of a route do gateways not do? The operator refuses a route for them, and no gateway follows it.

Operator and gateway ask the same function, so that neither takes for done what the other leaves out.
"""

from collections.abc import Iterator

from mizzen_crds.v1alpha1.model_route.model_route import ModelRouteSpec
from mizzen_crds.v1alpha1.model_route.route_rule import RouteRule

STICKY_STEPS = "each step of a pipeline is one backend: take it out, or set it in a route that a step names"


def unserved_fields(spec: ModelRouteSpec) -> tuple[str, ...]:
    """Return the fields that gateways do not act on, each with a remedy; empty where they do all of it."""
    return tuple(path for number, rule in enumerate(spec.rules) for path in _of_rule(rule, f"spec.rules[{number}]"))


def _of_rule(rule: RouteRule, path: str) -> Iterator[str]:
    if rule.pipeline and rule.sticky is not None:
        yield f"{path}.sticky ({STICKY_STEPS})"
