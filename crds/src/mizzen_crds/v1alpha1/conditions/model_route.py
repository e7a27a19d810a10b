"""Why is a ModelRoute as it is? Its reasons, with what each means and what to do about it."""

from typing import Final

from mizzen_crds.v1alpha1.conditions.condition_types import ACCEPTED, READY, RESOLVED_REFS
from mizzen_crds.v1alpha1.conditions.table import reason_row

BACKENDS_READY: Final = reason_row("BackendsReady", (READY,), "Every rule has a backend that takes requests.")
NO_BACKEND_READY: Final = reason_row(
    "NoBackendReady",
    (READY,),
    "A rule has no backend or fallback that takes requests, so its callers get 503 with Retry-After.",
    "Look at the Ready condition of the deployments that the message names.",
)
ROUTE_ACCEPTED: Final = reason_row("Accepted", (ACCEPTED,), "The gateways follow the route.")
ROUTE_CYCLE: Final = reason_row(
    "RouteCycle",
    (ACCEPTED,),
    "A chain of routes leads from this one back to itself, so no gateway follows it.",
    "Break the chain that the message spells out: name a deployment instead of a route in one of its places.",
    needs_spec_change=True,
)
ROUTE_TOO_DEEP: Final = reason_row(
    "RouteTooDeep",
    (ACCEPTED,),
    "A chain of routes is longer than a gateway follows.",
    "Name a deployment instead of a route in one of the places that the message spells out.",
    needs_spec_change=True,
)
NOT_SERVED_YET: Final = reason_row(
    "NotServedYet",
    (ACCEPTED,),
    "The route asks for something that gateways do not do, so they do not follow it: its name is 404.",
    "Change the fields that the message names as it says; the how-to about routes lists what gateways do.",
    needs_spec_change=True,
)
REFS_RESOLVED: Final = reason_row("ResolvedRefs", (RESOLVED_REFS,), "Every backend exists and may be called.")
BACKEND_NOT_FOUND: Final = reason_row(
    "BackendNotFound",
    (RESOLVED_REFS,),
    "A backend does not exist; it gets no traffic, and the others of its rule share what was meant for it.",
    "Make it, or correct the name; `kubectl get modeldeployments.mizzen.dev,modelroutes.mizzen.dev` lists those "
    "of the namespace.",
)
REF_NOT_PERMITTED: Final = reason_row(
    "RefNotPermitted",
    (RESOLVED_REFS,),
    "A model of another project is not offered to this one, or this one has no grant for it.",
    "Ask its owner to set spec.access (visibility Shared, and this project in allowedProjects), and have it granted.",
)
UNSUPPORTED_PROTOCOL: Final = reason_row(
    "UnsupportedProtocol",
    (RESOLVED_REFS,),
    "The backends of a rule speak different protocols, so a request fits only some of them; no gateway follows the "
    "route.",
    "Put OpenAI engines and Open Inference engines into rules, or routes, of their own.",
    needs_spec_change=True,
)
