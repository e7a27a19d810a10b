"""A rollout that is turned back, paused, given up or overtaken: what serves goes on serving, with the same pods."""

from collections.abc import Callable

from support.cluster.changes import recorded
from support.cluster.cluster import condition
from support.cluster.objects import Objects, wait_until
from support.rollouts import (
    FIRST_WORDS,
    KIND,
    LAST_WORDS,
    NAME,
    by_version,
    change,
    chat,
    hash_of,
    hold,
    make_ready,
    moments,
    pods_on_nodes,
    uids,
    wait,
    wait_rolled_out,
    waits_at,
)

Pool = Callable[[int], str]


def test_a_rollback_by_the_spec_runs_the_template_of_before(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    first = hash_of(wait_rolled_out(objects, "1"), "Serving")
    template = objects.get("ControllerRevision", f"{NAME}-{first}")
    change(objects, "2")
    second = hash_of(wait_rolled_out(objects, "2"), "Serving")
    with recorded(objects, "Pod") as changes:
        change(objects, "1")
        deployment = wait_rolled_out(objects, "1")
    assert hash_of(deployment, "Serving") == first != second
    assert min(one.ready for one in moments(changes)) == 3
    kept = objects.get("ControllerRevision", f"{NAME}-{first}")
    assert kept is not None
    assert template is not None
    assert kept["metadata"]["uid"] == template["metadata"]["uid"]


def test_a_revert_in_mid_rollout_keeps_the_pods_that_serve(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    wait_rolled_out(objects, "1")
    before = uids(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2", "never")
        wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the new version has a place")
        serving = uids(objects, "1")
        assert len(serving) == 3
        change(objects, "1")
        wait_rolled_out(objects, "1")
    assert serving <= uids(objects, "1")
    assert serving < before
    assert min(one.ready for one in moments(changes)) == 3
    assert max(one.bound for one in moments(changes)) == 4


def test_a_paused_rollout_stands_still_and_goes_on(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    wait_rolled_out(objects, "1")
    change(objects, "2", "never")
    wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the new version has a place")
    objects.merge(KIND, NAME, {"spec": {"rollout": {"mode": "Paused"}}})
    deployment = wait(objects, waits_at("Paused"))
    assert condition(deployment, "UpToDate")["reason"] == "Paused"
    before = {version: uids(objects, version) for version in ("1", "2")}
    make_ready(objects, next(pods_on_nodes(objects, "2")))
    wait(objects, lambda one: one["status"]["readyReplicas"] == 4)
    assert {version: uids(objects, version) for version in ("1", "2")} == before
    assert len(before["1"]) == 3
    objects.merge(KIND, NAME, {"spec": {"rollout": {"mode": "Active"}}})
    wait_until(lambda: len(uids(objects, "1")) == 2, 60, "it does not go on")


def test_a_change_while_paused_starts_nothing(objects: Objects) -> None:
    objects.create(chat(replicas=2, rollout={"mode": "Paused"}))
    wait(objects, waits_at("Paused"))
    assert by_version(objects) == {}
    objects.merge(KIND, NAME, {"spec": {"rollout": {"mode": "Active"}}})
    wait_rolled_out(objects, "1")
    objects.merge(KIND, NAME, {"spec": {"rollout": {"mode": "Paused"}}})
    change(objects, "2")
    wait(objects, waits_at("Paused"))
    assert set(by_version(objects)) == {"1"}


def test_a_revision_that_does_not_come_up_is_given_up_and_the_old_one_serves(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4), rollout={"progressDeadlineSeconds": 10}))
    wait_rolled_out(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2", "never")
        deployment = wait(objects, waits_at("ProgressDeadlineExceeded"))
        assert "progressDeadlineSeconds" in hold(deployment)["reason"]
        deployment = wait(objects, lambda one: one["status"]["readyReplicas"] == 4 and not uids(objects, "2"))
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.bound for one in seen) == 4, seen
    stalled = condition(deployment, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "ProgressDeadlineExceeded")
    assert condition(deployment, "Ready")["status"] == "True"
    change(objects, "3")
    deployment = wait_rolled_out(objects, "3")
    assert not condition(deployment, "Stalled")


def test_a_revision_that_cannot_start_takes_nothing_down_and_its_words_are_told(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    wait_rolled_out(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2", "crash")
        deployment = wait(objects, lambda one: "exitCode" in one["status"].get("lastFailure", {}))
        failure = deployment["status"]["lastFailure"]
        assert (failure["component"], failure["exitCode"], failure["reason"]) == ("engine", 7, "CrashLooping")
        assert FIRST_WORDS in failure["message"]
        assert LAST_WORDS in failure["message"]
        assert failure["remedy"]
        assert condition(deployment, "Ready")["status"] == "True"
        serving = uids(objects, "1")
        change(objects, "1")
        wait_rolled_out(objects, "1")
        assert serving <= uids(objects, "1")
    assert min(one.ready for one in moments(changes)) == 3


def test_two_changes_in_quick_succession_end_at_the_second(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    wait_rolled_out(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2")
        change(objects, "3")
        deployment = wait_rolled_out(objects, "3")
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.bound for one in seen) == 4, seen
    assert hash_of(deployment, "Serving") == deployment["status"]["revisions"][0]["hash"]


def test_a_second_change_in_mid_rollout_takes_the_place_of_the_first(objects: Objects, pool: Pool) -> None:
    objects.create(chat(pool(4)))
    wait_rolled_out(objects, "1")
    with recorded(objects, "Pod") as changes:
        change(objects, "2", "never")
        wait_until(lambda: list(pods_on_nodes(objects, "2")), 60, "no pod of the second version has a place")
        change(objects, "3")
        wait_rolled_out(objects, "3")
    seen = moments(changes)
    assert min(one.ready for one in seen) == 3, seen
    assert max(one.bound for one in seen) == 4, seen


def test_no_more_revisions_are_kept_than_the_history_holds(objects: Objects) -> None:
    objects.create(chat(replicas=1, rollout={"revisionHistoryLimit": 1}))
    first = hash_of(wait_rolled_out(objects, "1"), "Serving")
    hashes = [first]
    for version in ("2", "3"):
        change(objects, version)
        hashes.append(hash_of(wait_rolled_out(objects, version), "Serving"))
    selector = f"mizzen.dev/deployment={NAME}"

    def kept(kind: str) -> set[str]:
        return {one["metadata"]["name"] for one in objects.list(kind, labels=selector)}

    wanted = {f"{NAME}-{digits}" for digits in hashes[1:]}
    for kind in ("ControllerRevision", "Deployment"):
        wait_until(lambda kind=kind: kept(kind) == wanted, 60, lambda kind=kind: f"{kind}: {kept(kind)}")
    assert first not in str(kept("Deployment"))
