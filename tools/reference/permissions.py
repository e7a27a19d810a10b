"""`docs/reference/rbac.md`: every verb that a program or a person is granted, and why."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_OPENING = """# Permissions

What each program may do in the Kubernetes API, verb by verb, and the roles for people. The chart renders the same list
(`charts/mizzen/files/rbac/`); there is no other grant. `NAME` stands for the name of the release, `SECRET` for the
Secret of the installation.

No program may read Secrets, but for the control plane the one of the installation; none may create pods itself, read
logs, or run commands in containers. Whoever may write a ServingRuntime decides which images run in every tenant's
namespace.
"""
_PROGRAMS = {"operator": "The operator", "controlplane": "The control plane", "gateway": "The gateway"}
_SCOPES = {"cluster": "In every namespace (ClusterRole)", "namespace": "In its own namespace (Role)"}
_HEAD = ("| API group | resource | only | verbs | why |", "|---|---|---|---|---|")


def permissions_page(folder: Path) -> str:
    """The whole page, from the files of the chart."""
    lines = [_OPENING]
    for program, title in _PROGRAMS.items():
        granted = yaml.safe_load((folder / f"{program}.yaml").read_text())
        lines += [f"## {title}", ""]
        for scope, heading in _SCOPES.items():
            if granted[scope]:
                lines += [f"{heading}:", "", *_HEAD, *_rows(granted[scope]), ""]
    lines += ["## People", ""]
    for role, granted in yaml.safe_load((folder / "people.yaml").read_text()).items():
        lines += [f"### `mizzen-{role}`", "", _joined(granted), "", *_HEAD, *_rows(granted["rules"]), ""]
    return "\n".join(lines)


def _joined(granted: Mapping[str, Any]) -> str:
    cluster_roles = granted["aggregateTo"]
    if not cluster_roles:
        return "A ClusterRole to bind; nothing is bound by the chart."
    return f"Joins the cluster's own role `{cluster_roles[0]}`, unless `roles.aggregate` is false."


def _rows(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for rule in rules:
        groups = ", ".join(f"`{group}`" if group else "core" for group in rule["apiGroups"])
        names = ", ".join(f"`{name.replace('$', '')}`" for name in rule.get("resourceNames", ()))
        for resource in rule["resources"]:
            yield f"| {groups} | `{resource}` | {names} | {', '.join(rule['verbs'])} | {rule['why']} |"
