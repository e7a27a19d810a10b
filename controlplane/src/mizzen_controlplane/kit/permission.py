"""What can be allowed: one permission for each kind of act, which a route declares and a role holds.

A permission is `<resources>:<act>`. Those of programs travel with their tokens and are in no role.
"""

from enum import StrEnum


class Permission(StrEnum):
    """What a route needs."""

    PROJECTS_CREATE = "projects:create"
    PROJECTS_READ = "projects:read"
    PROJECTS_WRITE = "projects:write"
    PROJECTS_ARCHIVE = "projects:archive"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    VERSIONS_WRITE = "versions:write"
    VERSIONS_PUBLISH = "versions:publish"
    IMPORT_CREDENTIALS_READ = "import-credentials:read"
    IMPORT_CREDENTIALS_WRITE = "import-credentials:write"
    QUARANTINE_OVERRIDE = "quarantine:override"
    MODEL_POLICIES_WRITE = "model-policies:write"
    SIGNING_KEYS_WRITE = "signing-keys:write"
    ALIASES_WRITE = "aliases:write"
    ALIASES_FORCE = "aliases:force"
    DEPLOYMENTS_READ = "deployments:read"
    DEPLOYMENTS_WRITE = "deployments:write"
    DEPLOYMENTS_PROMOTE = "deployments:promote"
    GRANTS_READ = "grants:read"
    GRANTS_WRITE = "grants:write"
    LIMITS_READ = "limits:read"
    LIMITS_WRITE = "limits:write"
    BUDGETS_READ = "budgets:read"
    BUDGETS_WRITE = "budgets:write"
    PRICES_READ = "prices:read"
    PRICES_WRITE = "prices:write"
    USAGE_READ = "usage:read"
    REQUESTS_READ = "requests:read"
    INVOICES_READ = "invoices:read"
    INVOICES_WRITE = "invoices:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    AUDIT_READ = "audit:read"
    BINDINGS_READ = "bindings:read"
    BINDINGS_WRITE = "bindings:write"
    ROLES_WRITE = "roles:write"
    SERVICE_ACCOUNTS_READ = "service-accounts:read"
    SERVICE_ACCOUNTS_WRITE = "service-accounts:write"
    SELF = "self"
    """To read who one is, and to see and end one's own sessions: everybody's."""
    MANAGE = "manage"
    """All that has no permission of its own yet: in the hands of platform administrators alone."""

    ACCESS_READ = "access:read"
    USAGE_WRITE = "usage:write"
    BUDGET_LEASE = "budget:lease"
    OBJECTS_READ = "objects:read"
    OBJECTS_WRITE = "objects:write"
    OCCURRENCES_WRITE = "occurrences:write"
    MODELS_RESOLVE = "models:resolve"
    ARTIFACTS_DESCRIBE = "artifacts:describe"
    ARTIFACTS_READ = "artifacts:read"
    PROJECT_LIMITS_READ = "project-limits:read"
    CONTENT_KEEP = "content:keep"


PROGRAMS_OWN = frozenset(
    {
        Permission.ACCESS_READ,
        Permission.USAGE_WRITE,
        Permission.BUDGET_LEASE,
        Permission.OBJECTS_READ,
        Permission.OBJECTS_WRITE,
        Permission.OCCURRENCES_WRITE,
        Permission.MODELS_RESOLVE,
        Permission.ARTIFACTS_DESCRIBE,
        Permission.ARTIFACTS_READ,
        Permission.PROJECT_LIMITS_READ,
        Permission.CONTENT_KEEP,
    }
)
"""What only programs may do, by the routes below /internal."""

GRANTABLE = frozenset(Permission) - PROGRAMS_OWN
"""What people, pipelines and their roles may hold: everything below /api."""
