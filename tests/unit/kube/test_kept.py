"""A picture made of news is that of the server: order, owners, what vanished unheard."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mizzen_kube.kept import Kept, controllers


def manifest(name: str, version: int, uid: str = "u", *owners: str) -> dict[str, Any]:
    references = [{"uid": owner, "controller": True} for owner in owners]
    metadata = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**metadata, "ownerReferences": references, "managedFields": [{}]}}


def kept() -> Kept[dict[str, Any]]:
    return Kept(lambda whole: whole, controllers)


def test_what_is_known_already_is_no_news() -> None:
    picture = kept()
    assert picture.put(manifest("a", 5)).type == "ADDED"
    assert picture.put(manifest("a", 5)) is None
    assert picture.put(manifest("a", 4)) is None, "old news"
    assert picture.put(manifest("a", 10)).type == "MODIFIED", "versions are numbers, not text"


def test_an_object_made_again_under_its_name_is_a_new_one() -> None:
    picture = kept()
    picture.put(manifest("a", 1, "first", "old-owner"))
    change = picture.put(manifest("a", 2, "second", "new-owner"))
    assert (change.type, change.uid, change.owners) == ("ADDED", "second", ("new-owner", "old-owner"))
    assert picture.remove(manifest("a", 1, "first")) is None, "the end of the first is old news"
    assert len(picture) == 1


def test_managed_fields_are_not_kept() -> None:
    picture = kept()
    picture.put(manifest("a", 1))
    assert "managedFields" not in picture.get(("ns", "a"))["metadata"]


def test_what_a_list_no_longer_holds_is_gone_unless_it_is_newer_than_the_list() -> None:
    picture = kept()
    for name, version in (("stays", 1), ("went", 2), ("made-since", 9)):
        picture.put(manifest(name, version, name))
    (gone,) = list(picture.prune({("ns", "stays")}, "5"))
    assert (gone.type, gone.key, gone.uid, gone.manifest) == ("DELETED", ("ns", "went"), "went", None)
    assert sorted(name for (_, name), _ in picture.items()) == ["made-since", "stays"]


NEWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "remove"]), st.sampled_from(["x", "y", ""])), max_size=30
)


@given(NEWS)
def test_owners_always_find_exactly_what_they_own(news: list[tuple[str, str, str]]) -> None:
    picture, expected = kept(), {}
    for version, (name, act, owner) in enumerate(news, 1):
        told = manifest(name, version, "u", *([owner] if owner else []))
        if act == "put":
            picture.put(told)
            expected[name] = owner
        else:
            picture.remove(told)
            expected.pop(name, None)
    for owner in "xy":
        found = sorted(each["metadata"]["name"] for each in picture.by_owner(owner))
        assert found == sorted(name for name, of in expected.items() if of == owner)
    assert len(picture) == len(expected)
