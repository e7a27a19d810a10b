"""What does an API server say of every kind? Its OpenAPI, as files that kubeconform reads, unknown fields refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crdgen.kinds import KINDS
from support.cluster.cluster import Cluster
from support.cluster.objects import wait_until

OURS = "apis/mizzen.dev/v1alpha1"
LOCATION = "{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json"
"""Template for kubeconform's -schema-location, below the folder."""


def write_schemas(cluster: Cluster, folder: Path) -> Path:
    """Write a file for each kind and return `folder`."""
    wait_until(lambda: _describes(cluster, OURS), 60, f"{OURS} in the server's OpenAPI")
    paths = cluster.objects.call("GET", "/openapi/v3")["paths"]
    for path in paths.values():
        components = cluster.objects.call("GET", path["serverRelativeURL"]).get("components", {}).get("schemas", {})
        for name, schema in components.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                # For want of a group kubeconform says the version twice.
                file = f"{kind['group'] or kind['version']}_{kind['version']}_{kind['kind'].lower()}.json"
                whole = _inlined(components, name, ())
                whole["properties"]["apiVersion"] = {"type": "string"}
                (folder / file).write_text(json.dumps(whole))
    return folder


def _describes(cluster: Cluster, group: str) -> bool:
    """Definitions are published some time after they are served, one after the other."""
    path = cluster.objects.call("GET", "/openapi/v3")["paths"].get(group)
    if path is None:
        return False
    schemas = cluster.objects.call("GET", path["serverRelativeURL"]).get("components", {}).get("schemas", {})
    named = {kind["kind"] for schema in schemas.values() for kind in schema.get("x-kubernetes-group-version-kind", ())}
    return {kind.name for kind in KINDS} <= named


def _inlined(components: Mapping[str, Any], name: str, above: tuple[str, ...]) -> dict[str, Any]:
    """A schema without references; one that contains itself is open there."""
    if name in above:
        return {}
    found: dict[str, Any] = _resolved(components, components[name], (*above, name))
    return found


def _resolved(components: Mapping[str, Any], node: Any, above: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_resolved(components, each, above) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return _inlined(components, node["$ref"].rpartition("/")[2], above)
    if isinstance(node.get("allOf"), list) and len(node["allOf"]) == 1:
        return _resolved(components, node["allOf"][0], above)
    kept = {
        key: _resolved(components, value, above)
        for key, value in node.items()
        if not key.startswith("x-kubernetes") and key not in ("default", "format")
    }
    open_ended = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-int-or-string")
    if kept.get("type") == "object" and kept.get("properties") and not open_ended:
        kept.setdefault("additionalProperties", False)
    return kept
