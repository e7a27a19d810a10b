"""`docs/reference/roles.md`: which role holds which permission, and which operations each permission opens."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.kit.permission import GRANTABLE, Permission
from reference.python_client import SUFFIX

_OPENING = """# Roles and permissions

Roles that every installation has. An organization makes others of the same permissions:
[tenancy and roles](../explanation/tenancy-and-roles.md). `self` (who one is, one's own sessions, which roles there are)
is everybody's.
"""
_OPENS = """## What each permission opens

Names are those of `mizzen api` and of the Python client. Every operation needs one permission, where its path leads: in
the organization, in a project, or at a model or deployment. One without operations is asked for by an option of others.
"""


def roles_page(api: Mapping[str, Any]) -> str:
    """The whole page, of the roles and of the document of the REST API."""
    shown = sorted(GRANTABLE - {Permission.SELF})
    roles = [f"| `{role.name}` | {role.description} |" for role in BUILT_IN.values()]
    held = [
        f"| `{one}` | {' | '.join('x' if one in role.permissions else '' for role in BUILT_IN.values())} |"
        for one in shown
    ]
    opened = _operations(api)
    opens = [f"| `{one}` | {', '.join(f'`{name}`' for name in opened.get(one, ()))} |" for one in shown]
    head = [f"| permission | {' | '.join(BUILT_IN)} |", "|---|" + ":-:|" * len(BUILT_IN)]
    told = [
        _OPENING,
        "| role | what it is for |",
        "|---|---|",
        *roles,
        "",
        "## Which role holds what",
        "",
        *head,
        *held,
    ]
    return "\n".join([*told, "", _OPENS, "| permission | operations |", "|---|---|", *opens, ""])


def _operations(api: Mapping[str, Any]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for item in api["paths"].values():
        for operation in item.values():
            found[operation.get("x-mizzen-permission", "")].append(SUFFIX.split(operation["operationId"] + "_")[0])
    return {permission: sorted(names) for permission, names in found.items()}
