"""Which Projects are refused although each field alone is right? One row a rule."""

import re
from collections.abc import Iterable
from typing import Final

from mizzen_crds.rules import Rule
from mizzen_crds.v1alpha1.naming import SHORT_NAME_RULE

_ACCOUNT_PATTERN: Final = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$"
_SYSTEM: Final = "kube-"


def _distinct(values: Iterable[object]) -> bool:
    listed = list(values)
    return len(listed) == len(set(listed))


PROJECT_ROOT_RULES: Final = (
    SHORT_NAME_RULE,
    Rule(
        "",
        "metadata.name",
        "without spec.namespaces the project's name is its namespace, and names that begin with kube- are Kubernetes' "
        "own; rename it, or name its namespaces",
        f"self.spec.namespaces.size() > 0 || !self.metadata.name.startsWith('{_SYSTEM}')",
        lambda it: bool(it.spec.namespaces) or not it.metadata.name.startswith(_SYSTEM),
    ),
)
"""Rules that need the object's metadata."""

PROJECT_RULES: Final = (
    Rule(
        "spec",
        "namespaces",
        "namespaces that begin with kube- are Kubernetes' own; remove them",
        f"!self.namespaces.exists(n, n.startsWith('{_SYSTEM}'))",
        lambda it: not any(name.startswith(_SYSTEM) for name in it.namespaces),
    ),
    Rule("spec", "namespaces", "a namespace stands twice; remove one", "", lambda it: _distinct(it.namespaces)),
    Rule(
        "spec.quota",
        "accelerators",
        "two entries have one acceleratorClass; remove one",
        "",
        lambda it: _distinct(entry.accelerator_class for entry in it.accelerators),
    ),
    Rule(
        "spec.quota",
        "resources",
        "accelerators are bounded by spec.quota.accelerators; remove the keys `requests.<domain>/<name>`",
        "self.resources.all(k, !(k.startsWith('requests.') && k.contains('/')))",
        lambda it: not any(key.startswith("requests.") and "/" in key for key in it.resources),
    ),
    Rule(
        "spec",
        "limits",
        "two limits have one name; rename one",
        "",
        lambda it: _distinct(limit.name for limit in it.limits),
    ),
    Rule(
        "spec",
        "budgets",
        "two budgets have one name; rename one",
        "",
        lambda it: _distinct(budget.name for budget in it.budgets),
    ),
    Rule(
        "spec",
        "members",
        "a member stands twice; remove one, and keep the role that is meant",
        "",
        lambda it: _distinct((member.kind, member.name) for member in it.members),
    ),
    Rule(
        "spec.members.[]",
        "name",
        "must be `namespace/name` for a ServiceAccount; add the namespace",
        f"self.kind != 'ServiceAccount' || self.name.matches('{_ACCOUNT_PATTERN}')",
        lambda it: it.kind != "ServiceAccount" or re.fullmatch(_ACCOUNT_PATTERN, it.name) is not None,
    ),
)
"""Every rule about one spec."""
