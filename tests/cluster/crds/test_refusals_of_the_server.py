"""The table of wrong objects that the models are held to, on a real API server: each is refused with its sentence."""

from typing import Any

import pytest
from crdgen.definition import Kind
from crdgen.kinds import KINDS
from crdgen.schema import every_node
from support.cluster.cluster import Cluster
from support.cluster.objects import Object, RefusedError
from support.refusal_tables import Case, cases

WRONG, RIGHT = cases("cases"), cases("right")
STRICT = {"fieldValidation": "Strict", "dryRun": "All"}
"""As kubectl asks: unknown fields are refused."""


def _each(listed: list[Case]) -> Any:
    return pytest.mark.parametrize("case", listed, ids=str)


def _refusal(cluster: Cluster, case: Case) -> RefusedError | None:
    """What the server says to the object, or to the change; nothing is kept."""
    resource = cluster.objects.resource(case.kind.name)
    metadata = case.written.get("metadata", {})
    path = resource.path(metadata.get("namespace", "default"))
    kept = _create(cluster, path, case.before) if case.before else None
    try:
        if kept is None:
            cluster.objects.call("POST", path, json=case.written, params=STRICT)
        else:
            changed = {**case.written, "metadata": {**metadata, "resourceVersion": kept["metadata"]["resourceVersion"]}}
            cluster.objects.call("PUT", f"{path}/{metadata['name']}", json=changed, params=STRICT)
    except RefusedError as refused:
        return refused
    finally:
        if kept is not None:
            cluster.objects.call("DELETE", f"{path}/{kept['metadata']['name']}")
    return None


def _create(cluster: Cluster, path: str, body: Object) -> Object:
    return cluster.objects.call("POST", path, json=body)


def _named(case: Case, refused: RefusedError) -> bool:
    """A cause says the sentence and names the field, as its own path or, for metadata, in the words."""
    causes = [(cause.get("field", ""), cause["message"]) for cause in refused.causes]
    return any(case.says in said and (case.path == field or f"{case.path}: " in said) for field, said in causes)


@_each([case for case in WRONG if case.by != "schema"])
def test_a_rule_refuses_with_its_sentence_and_the_field(bare_cluster: Cluster, case: Case) -> None:
    refused = _refusal(bare_cluster, case)
    assert refused
    assert refused.status == 422
    assert _named(case, refused), refused.causes


@_each([case for case in WRONG if case.by == "schema"])
def test_the_schema_refuses_and_names_the_field(bare_cluster: Cluster, case: Case) -> None:
    refused = _refusal(bare_cluster, case)
    assert refused
    assert refused.status in (400, 422)
    assert case.path.rsplit(".", 1)[-1].rstrip("]") in refused.message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_rule_that_is_served_has_a_case(bare_cluster: Cluster, kind: Kind) -> None:
    served = bare_cluster.objects.get("CustomResourceDefinition", f"{kind.plural}.mizzen.dev")
    assert served
    messages: set[str] = set()
    every_node(
        served["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
        lambda node: messages.update(rule["message"] for rule in node.get("x-kubernetes-validations", ())),
    )
    said = [case.says for case in WRONG if case.kind is kind and case.by != "schema"]
    assert [message for message in messages if not any(words in message for words in said)] == []


@_each(RIGHT)
def test_what_is_right_is_taken(bare_cluster: Cluster, case: Case) -> None:
    assert _refusal(bare_cluster, case) is None
