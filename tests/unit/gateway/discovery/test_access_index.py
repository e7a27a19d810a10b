"""A snapshot, indexed: whom does a key speak for, and what was its project granted?"""

from mizzen_crds.access import Grant, ProjectAccess
from mizzen_gateway.discovery.access_index import index_snapshot
from support.access_snapshots import KEY_ID, a_key, a_snapshot

PROJECTS = [ProjectAccess(id=f"prj_{name}", name=name, namespace=name) for name in ("a", "b")]
OTHER_KEY = "key_" + "b" * 20


def test_grants_belong_to_every_key_of_their_project_and_to_no_other() -> None:
    keys = [a_key(), a_key(OTHER_KEY, project_id="prj_b")]
    grants = [Grant(project_id="prj_a", model="b/one"), Grant(project_id="prj_a", model="b/two")]
    index = index_snapshot(a_snapshot(projects=PROJECTS, keys=keys, grants=grants))
    assert index.keys[KEY_ID].caller.grants == {"b/one", "b/two"}
    assert index.keys[OTHER_KEY].caller.grants == frozenset()


def test_a_key_of_a_project_that_is_not_listed_opens_nothing() -> None:
    index = index_snapshot(a_snapshot(keys=[a_key(project_id="prj_gone")]))
    assert index.keys == {}
