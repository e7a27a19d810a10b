"""Did a program ask for what it is granted, for nothing else, and for all of it? The audit log tells."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import yaml
from support.chart import CHART, NAMESPACE
from support.cluster.objects import Object

Used = tuple[str, str, str]
"""API group, resource with its subresource, verb."""
_MET = "read where a create meets a taken name, and before the first update of what another release rendered"
_ENDS = "what a deployment wants no longer: after spec.rollout.revisionHistoryLimit revisions, or with another shape"
_DRIFT = "set back where somebody edited it, or where the spec changes it"
_ABSENT = "this API is not on the cluster of the test: test_queues.py and test_groups.py have it"
_SELDOM_EDITED = (("", "services"), ("apps", "controllerrevisions"), ("policy", "poddisruptionbudgets"))
_SELDOM_ENDED = (*_SELDOM_EDITED, ("apps", "deployments"))
_CHILDREN = (*_SELDOM_ENDED, ("networking.k8s.io", "networkpolicies"))
_PLUGGED_IN = (("kueue.x-k8s.io", "localqueues"), ("leaderworkerset.x-k8s.io", "leaderworkersets"))
_OF_PROJECTS = (("", "namespaces"), ("", "resourcequotas"), ("rbac.authorization.k8s.io", "rolebindings"))
SELDOM: Final[Mapping[str, Mapping[Used, str]]] = {
    "operator": {
        **{(*one, "get"): _MET for one in (*_CHILDREN, *_OF_PROJECTS)},
        **{(*one, "delete"): _ENDS for one in _SELDOM_ENDED},
        **{(*one, "patch"): _DRIFT for one in _SELDOM_EDITED},
        **{(*one, verb): _ABSENT for one in _PLUGGED_IN for verb in ("get", "watch", "create", "patch", "delete")},
        ("", "pods", "delete"): "a start that makes no progress is begun anew: tests/cluster/operator/test_starts.py",
        (
            "mizzen.dev",
            "modeldeployments",
            "get",
        ): "read again where the watch fell silent: tests/cluster/operator/test_watching.py",
        ("authentication.k8s.io", "tokenreviews", "create"): "reports of gateways and pods: test_reports.py",
        ("rbac.authorization.k8s.io", "clusterroles", "bind"): "asked by the API server itself, of no request",
    },
    "controlplane": {
        (
            "mizzen.dev",
            "modeldeployments",
            "create",
        ): "asked by the API server itself, of an apply that makes an object",
    },
    "gateway": {},
}
"""Granted, and not asked for in the run of a test, with the reason why it is granted all the same."""


def asked_by(events: Sequence[Object], account: str) -> Iterator[tuple[Used, int, str]]:
    """What an account asked of the API, with the answer's status and the address."""
    for event in events:
        reference = event.get("objectRef")
        if event["user"]["username"] != f"system:serviceaccount:{NAMESPACE}:{account}" or not reference:
            continue
        parts = filter(None, (reference["resource"], reference.get("subresource")))
        used = (reference.get("apiGroup", ""), "/".join(parts), event["verb"])
        yield used, event.get("responseStatus", {}).get("code", 0), event["requestURI"]


def granted_to(program: str) -> set[Used]:
    """Every verb of the published list."""
    published = yaml.safe_load((CHART / "files" / "rbac" / f"{program}.yaml").read_text())
    return {
        (group, resource, verb)
        for rule in (*published["cluster"], *published["namespace"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used_as_granted(program: str, events: Sequence[Object], account: str) -> Counter[Used]:
    """How often each verb was asked for; fails where one was refused, is not granted, or is granted for nothing."""
    asked = list(asked_by(events, account))
    assert [(used, uri) for used, status, uri in asked if status in (401, 403)] == []
    counted = Counter(used for used, _, _ in asked)
    granted, seldom = granted_to(program), set(SELDOM[program])
    assert set(counted) <= granted, set(counted) - granted
    assert seldom <= granted, f"no longer granted: {seldom - granted}"
    assert granted - set(counted) <= seldom, f"granted for nothing: {sorted(granted - set(counted) - seldom)}"
    print(f"{program}: {len(asked)} requests, {len(counted)} of {len(granted)} granted verbs used")
    return counted
