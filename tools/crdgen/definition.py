"""What is the CustomResourceDefinition of a kind? Its schema, rules, columns and subresources."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crdgen.schema import Schema, every_node, node_at, structural_schema, whole_default
from mizzen_crds.rules import ChangeRule, Rule
from mizzen_crds.v1alpha1 import GROUP, VERSION
from pydantic import BaseModel

SIZE_LIMIT = 60_000
"""Bytes of one definition; `kubectl apply` refuses at 262,144."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `wide` ones only with -o wide."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


@dataclass(frozen=True)
class Kind:
    """What the definition says beside the schema."""

    model: type[BaseModel]
    plural: str
    short_name: str
    scope: str
    columns: tuple[Column, ...]
    rules: tuple[Rule | ChangeRule, ...]
    scalable: bool = False

    @property
    def name(self) -> str:
        """Kind, as it is written in an object."""
        return self.model.__name__

    @property
    def file_name(self) -> str:
        """Name of its file below `crds/`."""
        return f"{self.plural}.{GROUP}.yaml"


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition, as a plain object."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": kind_schema(kind)},
        "subresources": _subresources(kind),
    }
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [kind.short_name],
        "categories": ["mizzen"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": kind.scope, "versions": [version]},
    }


def kind_schema(kind: Kind) -> Schema:
    """The structural schema with the rules in their places."""
    schema = structural_schema(kind.model)
    properties = schema["properties"]
    properties["apiVersion"] = {"type": "string", "description": "Version of the schema of this object."}
    properties["kind"] = {"type": "string", "description": "Kind of this object."}
    properties["metadata"] = {"type": "object"}
    schema["required"] = ["spec"]
    if "properties" in properties["status"]:
        _loosen_status(properties["status"])
    _add_rules(schema, kind.rules)
    every_node(schema, _spell_out_default)
    return schema


def _spell_out_default(node: Schema) -> None:
    """An API server holds a default to the rules before it fills in the defaults inside, so those are spelt out."""
    ruled: list[Schema] = []
    every_node(node, lambda below: ruled.append(below) if "x-kubernetes-validations" in below else None)
    if ruled and "properties" in node and "default" in node:
        node["default"] = whole_default(node)


def _loosen_status(status: Schema) -> None:
    """A status is written by a program: no defaults but the one that makes tools wait for the first pass."""
    every_node(status, lambda node: node.pop("default", None))
    status["default"] = {"observedGeneration": -1}


def _add_rules(schema: Schema, rules: Iterable[Rule | ChangeRule]) -> None:
    for rule in rules:
        if rule.cel:
            node_at(schema, rule.at).setdefault("x-kubernetes-validations", []).append(_validation(rule))


def _validation(rule: Rule | ChangeRule) -> dict[str, str]:
    """A field of metadata cannot be named as fieldPath, so the message names it."""
    if rule.field.startswith("metadata."):
        return {"rule": rule.cel, "message": f"{rule.field}: {rule.message}"}
    field = {"fieldPath": f".{rule.field}"} if rule.field else {}
    return {"rule": rule.cel, "message": rule.message, **field}


def _column(column: Column) -> dict[str, Any]:
    described = {"description": column.description} if column.description else {}
    priority = {"priority": 1} if column.wide else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path, **described, **priority}


def _subresources(kind: Kind) -> dict[str, Any]:
    if not kind.scalable:
        return {"status": {}}
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return {"status": {}, "scale": scale}
