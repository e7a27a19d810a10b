"""What does a route name? Every backend, fallback, mirror and step, with its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from mizzen_crds.v1alpha1.model_route import ModelRoute
from mizzen_crds.v1alpha1.model_route.backends import BackendRef, WeightedBackend


@dataclass(frozen=True)
class Reference:
    """One thing that a route names."""

    rule: str
    """Name of the rule."""
    path: str
    """Field, for people: spec.rules[0].backends[1]."""
    place: str
    """backends, fallbacks, mirrors or pipeline."""
    ref: BackendRef

    @property
    def target(self) -> str:
        """`deployment/NAME`, `model/PROJECT/NAME` or `route/NAME`."""
        if self.ref.deployment is not None:
            return f"deployment/{self.ref.deployment}"
        return f"model/{self.ref.model}" if self.ref.model is not None else f"route/{self.ref.route}"

    @property
    def answers(self) -> bool:
        """Callers may get its answer: it is no mirror, and has a weight where weights count."""
        return self.place != "mirrors" and not (isinstance(self.ref, WeightedBackend) and self.ref.weight == 0)


def references(route: ModelRoute) -> Iterator[Reference]:
    """Every reference, rule by rule, in the order of the spec."""
    for number, rule in enumerate(route.spec.rules):
        for place, listed in (
            ("backends", rule.backends),
            ("fallbacks", rule.fallbacks),
            ("mirrors", rule.mirrors),
            ("pipeline", rule.pipeline),
        ):
            for position, ref in enumerate(listed):
                yield Reference(rule.name, f"spec.rules[{number}].{place}[{position}]", place, ref)
