"""The roles that every installation has, as data: which role holds which permission."""

from dataclasses import dataclass
from typing import Final

from mizzen_controlplane.kit.permission import GRANTABLE, Permission

_READS: Final = frozenset(one for one in GRANTABLE if one.endswith(":read"))
_VIEWS: Final = frozenset(
    {
        Permission.PROJECTS_READ,
        Permission.KEYS_READ,
        Permission.MODELS_READ,
        Permission.DEPLOYMENTS_READ,
        Permission.GRANTS_READ,
        Permission.LIMITS_READ,
        Permission.BUDGETS_READ,
        Permission.PRICES_READ,
        Permission.USAGE_READ,
    }
)
_DEVELOPS: Final = _VIEWS | {
    Permission.KEYS_WRITE,
    Permission.MODELS_WRITE,
    Permission.VERSIONS_WRITE,
    Permission.DEPLOYMENTS_WRITE,
    Permission.REQUESTS_READ,
}
_PUBLISHES: Final = _VIEWS | {
    Permission.MODELS_WRITE,
    Permission.VERSIONS_WRITE,
    Permission.VERSIONS_PUBLISH,
    Permission.IMPORT_CREDENTIALS_READ,
    Permission.ALIASES_WRITE,
    Permission.DEPLOYMENTS_PROMOTE,
}
_KEEPS_A_PROJECT: Final = {
    Permission.PROJECTS_WRITE,
    Permission.GRANTS_WRITE,
    Permission.LIMITS_WRITE,
    Permission.BUDGETS_WRITE,
    Permission.ALIASES_FORCE,
    Permission.MODEL_POLICIES_WRITE,
    Permission.SIGNING_KEYS_WRITE,
    Permission.BINDINGS_READ,
    Permission.BINDINGS_WRITE,
    Permission.SERVICE_ACCOUNTS_READ,
    Permission.SERVICE_ACCOUNTS_WRITE,
    Permission.AUDIT_READ,
    Permission.IMPORT_CREDENTIALS_WRITE,
    Permission.WEBHOOKS_READ,
    Permission.WEBHOOKS_WRITE,
}
_BILLS: Final = frozenset(
    {
        Permission.PROJECTS_READ,
        Permission.USAGE_READ,
        Permission.PRICES_READ,
        Permission.PRICES_WRITE,
        Permission.INVOICES_READ,
        Permission.INVOICES_WRITE,
        Permission.BUDGETS_READ,
        Permission.BUDGETS_WRITE,
        Permission.LIMITS_READ,
    }
)


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A role that is there from the start and never changes but with a release."""

    name: str
    description: str
    permissions: frozenset[Permission]


BUILT_IN: Final = {
    role.name: role
    for role in (
        BuiltIn("viewer", "Sees models, deployments, keys without secrets, limits, prices and usage.", _VIEWS),
        BuiltIn("developer", "Pushes versions, deploys, makes API keys, reads what requests there were.", _DEVELOPS),
        BuiltIn("model-publisher", "Publishes versions, moves aliases, promotes rollouts.", _PUBLISHES),
        BuiltIn(
            "project-admin",
            "All of a project: also who may do what, programs, limits, budgets, grants, what is allowed in models.",
            _DEVELOPS | _PUBLISHES | _KEEPS_A_PROJECT,
        ),
        BuiltIn("billing", "Prices, invoices, credits and budgets; no models.", _BILLS),
        BuiltIn("auditor", "Reads everything, the audit trail and invoices included, and changes nothing.", _READS),
        BuiltIn(
            "org-admin", "All of the organization, quarantine and prices included.", GRANTABLE - {Permission.MANAGE}
        ),
        BuiltIn("platform-admin", "Everything: also persons and the installation itself.", GRANTABLE),
    )
}
"""By name. `self` is everybody's and needs no role."""
