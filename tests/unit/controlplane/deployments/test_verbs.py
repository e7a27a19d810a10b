"""What do the verbs write?"""

import json
from typing import Any

import pytest
from mizzen_controlplane.deployments import verbs
from mizzen_controlplane.deployments.ownership import require_writable
from mizzen_controlplane.kit.problem import Conflict


def _revision(version: int, state: str) -> dict[str, Any]:
    return {"hash": f"h{version}", "modelVersion": version, "state": state}


def _document(reference: dict[str, Any] | None, wanted: int | None, *revisions: dict[str, Any]) -> dict[str, Any]:
    status: dict[str, Any] = {"revisions": list(revisions)}
    if wanted is not None:
        status["resolvedModel"] = {"version": wanted}
    return {"spec": {"model": {"versionRef": reference} if reference else {"uri": "hf://a/b"}}, "status": status}


ALIAS = {"model": "m", "alias": "champion"}


def test_rollback_after_a_rollout_pins_what_served_before() -> None:
    patch = verbs.rollback(_document(ALIAS, 2, _revision(2, "Serving"), _revision(1, "Retired")), None)
    assert patch == {"spec": {"model": {"versionRef": {"model": "m", "version": 1, "alias": None}}}}


def test_rollback_in_the_middle_of_a_rollout_pins_what_serves() -> None:
    document = _document(ALIAS, 3, _revision(3, "Progressing"), _revision(2, "Serving"), _revision(1, "Retired"))
    assert verbs.rollback(document, None)["spec"]["model"]["versionRef"]["version"] == 2


def test_rollback_never_goes_back_to_a_version_that_failed() -> None:
    document = _document(ALIAS, 3, _revision(3, "Serving"), _revision(2, "Failed"), _revision(1, "Retired"))
    assert verbs.rollback(document, None)["spec"]["model"]["versionRef"]["version"] == 1


def test_rollback_to_a_version_that_a_person_names() -> None:
    assert verbs.rollback(_document(ALIAS, 3), 7)["spec"]["model"]["versionRef"]["version"] == 7


def test_rollback_tells_kubectls_note_too_so_that_the_next_apply_takes_the_version_away() -> None:
    document = _document(ALIAS, 2, _revision(2, "Serving"), _revision(1, "Retired"))
    noted = {"spec": {"model": {"versionRef": ALIAS}, "replicas": 2}}
    document["metadata"] = {"annotations": {verbs.LAST_APPLIED: json.dumps(noted)}}
    patch = verbs.rollback(document, None)
    after = json.loads(patch["metadata"]["annotations"][verbs.LAST_APPLIED])
    assert after == {"spec": {"model": {"versionRef": {"model": "m", "version": 1}}, "replicas": 2}}


@pytest.mark.parametrize("note", ["", "no JSON", "[]", '{"spec": {}}', "null"])
def test_rollback_leaves_a_note_that_it_cannot_read_as_it_is(note: str) -> None:
    document = _document(ALIAS, 2, _revision(2, "Serving"), _revision(1, "Retired"))
    document["metadata"] = {"annotations": {verbs.LAST_APPLIED: note}}
    assert "metadata" not in verbs.rollback(document, None)


def test_rollback_with_nothing_before_asks_for_a_version() -> None:
    with pytest.raises(Conflict, match=r"No earlier version of m has served here .* name the version"):
        verbs.rollback(_document(ALIAS, 1, _revision(1, "Serving")), None)


def test_rollback_of_a_uri_says_what_to_do_instead() -> None:
    with pytest.raises(Conflict, match="Apply the earlier manifest"):
        verbs.rollback(_document(None, None), None)


def test_scaling_what_an_autoscaler_scales_is_refused_with_the_field_to_change() -> None:
    with pytest.raises(Conflict, match=r"spec\.autoscaling\.minReplicas"):
        verbs.scale({"spec": {"autoscaling": {"maxReplicas": 3}}}, 2)


def test_promote_names_the_revision_and_its_step() -> None:
    status = {"rollout": {"step": 1}, "revisions": [_revision(2, "Progressing"), _revision(1, "Serving")]}
    patch = verbs.promote({"spec": {}, "status": status})
    assert patch == {"metadata": {"annotations": {"mizzen.dev/promote": "h2/1"}}}


def test_promote_without_a_step_under_way_is_refused() -> None:
    with pytest.raises(Conflict, match="nothing to promote"):
        verbs.promote({"spec": {}, "status": {"revisions": [_revision(1, "Serving")]}})


def test_promote_while_paused_says_to_resume_first() -> None:
    status = {"rollout": {"step": 1}, "revisions": [_revision(2, "Progressing"), _revision(1, "Serving")]}
    with pytest.raises(Conflict, match="set it to Active, then promote"):
        verbs.promote({"spec": {"rollout": {"mode": "Paused"}}, "status": status})


def test_what_git_owns_is_not_written_but_answered_with_the_patch_to_commit() -> None:
    document = {"metadata": {"managedFields": [{"manager": "argocd-controller"}]}}
    with pytest.raises(Conflict) as refused:
        require_writable(document, "mizzen-api", {"spec": {"replicas": 2}})
    assert refused.value.more == {"field_manager": "argocd-controller", "patch": {"spec": {"replicas": 2}}}
    require_writable(document, "argocd-controller", {})
