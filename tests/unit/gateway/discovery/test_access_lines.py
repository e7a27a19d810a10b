"""Lines of the access feed: read in pieces they say what they say as one, and what is as before is taken over."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_crds.access import AccessFeedLine, AccessSnapshot, Grant, Priority, ProjectAccess, Scope
from mizzen_gateway.discovery.access_building import index_snapshot, without_pause
from mizzen_gateway.discovery.access_index import AccessIndex
from mizzen_gateway.discovery.access_lines import Line, read_line
from support.access_snapshots import a_budget, a_key, a_limit, a_price, a_snapshot

NAMES = ("a", "b", "c", "d", "e")
LATER = datetime(2099, 1, 1, tzinfo=UTC)


def projects(*names: str, namespace: str = "{}") -> list[ProjectAccess]:
    return [ProjectAccess(id=f"prj_{name}", name=name, namespace=namespace.format(name)) for name in names]


def raw_line(snapshot: AccessSnapshot) -> bytes:
    return AccessFeedLine(type="SNAPSHOT", version=snapshot.version, snapshot=snapshot).model_dump_json().encode()


def read(raw: bytes, before: AccessIndex | None = None, size: int = 50) -> Line:
    line = without_pause(read_line((raw[at : at + size] for at in range(0, len(raw), size)), before))
    assert line is not None
    return line


def index_of(snapshot: AccessSnapshot, before: AccessIndex | None = None) -> AccessIndex:
    index = read(raw_line(snapshot), before, 1000).index
    assert index is not None
    return index


@st.composite
def snapshots(draw: st.DrawFn) -> AccessSnapshot:
    """Small ones, of which two often have much in common."""
    some = st.lists(st.sampled_from(NAMES), unique=True)
    grants = [Grant(project_id=f"prj_{name}", model="x/m") for name in draw(some)]
    keys = [
        a_key(
            f"key_{name}",
            project_id=f"prj_{draw(st.sampled_from(NAMES))}",
            models=draw(st.sampled_from((None, ["m"], ["m", "ö}"]))),
            expires_at=draw(st.sampled_from((None, LATER))),
            priority=draw(st.sampled_from(list(Priority))),
        )
        for name in draw(some)
    ]
    limits = [a_limit(draw(st.sampled_from((1, 2))), id=f"lim_{name}", name="für {alle}") for name in draw(some)]
    users = [a_limit(3, id=f"lim_user_{name}", scope=Scope.USER) for name in draw(some)]
    listed = projects(*draw(some), namespace=draw(st.sampled_from(("{}", "ns-{}"))))
    return a_snapshot(
        draw(st.integers(1, 9)), projects=listed, keys=keys, limits=limits, further_limits=users, grants=grants,
        prices=[a_price()], budgets=[a_budget(7, period_start=LATER, period_end=LATER)]
    )  # fmt: skip


@given(st.lists(snapshots(), min_size=1, max_size=4), st.integers(1, 2000))
def test_one_snapshot_after_the_other_is_the_same_as_each_by_itself(found: list[AccessSnapshot], size: int) -> None:
    before = None
    for snapshot in found:
        raw = raw_line(snapshot)
        line = read(raw, before, size)
        before = line.index
        assert before == index_snapshot(snapshot)
        assert before is not None
        assert before.token is not None
        assert AccessSnapshot.model_validate_json(raw[line.begin : line.end]) == snapshot


def test_keys_and_limits_that_are_as_before_are_the_same_objects() -> None:
    keys = [a_key(f"key_{name}") for name in NAMES]
    limits = [a_limit(number, id=f"lim_{number}", scope_id=f"{number}") for number in range(1, 4)]
    before = index_of(a_snapshot(1, keys=keys, limits=limits))
    keys[2] = a_key("key_c", expires_at=LATER)
    after = index_of(a_snapshot(2, keys=keys[:4], limits=limits), before)
    same = [name for name in after.keys if after.keys[name] is before.keys[name]]
    assert same == ["key_a", "key_b", "key_d"]
    assert "key_e" not in after.keys
    assert after.keys["key_c"].expires_at == LATER.timestamp()
    assert all(after.limits.entries[scope] is limits for scope, limits in before.limits.entries.items())


def test_limits_of_one_scope_stand_in_their_order_however_many_there_are_now() -> None:
    limits = [a_limit(number, id=f"lim_{number}") for number in range(1, 5)]
    before = None
    for count in (1, 3, 4, 2, 1, 0):
        before = index_of(a_snapshot(1, limits=limits[:count]), before)
        assert before.limits.entries.get("prj_a", ()) == tuple(limits[:count])


@pytest.mark.parametrize(
    "changed",
    [
        {"projects": projects("a", namespace="elsewhere")},
        {"grants": [Grant(project_id="prj_a", model="b/m")]},
        {"projects": []},
        {"organization_id": "org_b"},
    ],
)
def test_a_key_that_is_as_before_speaks_for_what_its_project_is_now(changed: dict[str, object]) -> None:
    first = a_snapshot(1, projects=projects("a", "b"), keys=[a_key(), a_key("key_b", project_id="prj_b")])
    second = a_snapshot(2, **{"projects": projects("a", "b"), "keys": first.keys, **changed})
    before = index_of(first)
    assert index_of(second, before) == index_snapshot(second)
    assert index_of(first, index_of(second, before)) == index_snapshot(first)


def test_a_heartbeat_has_a_version_and_no_snapshot() -> None:
    assert read(b' {"type":"HEARTBEAT","version":7,"snapshot":null,"later":{"x":[1]}} ') == Line(7, None)
    assert without_pause(read_line([b" ", b"\r"], None)) is None


@pytest.mark.parametrize("field", [name for name, field in AccessSnapshot.model_fields.items() if field.is_required()])
def test_a_snapshot_without_a_field_that_it_must_have_is_refused(field: str) -> None:
    document = a_snapshot(3).model_dump(mode="json")
    del document[field]
    with pytest.raises(ValueError, match=field):
        read(json.dumps({"type": "SNAPSHOT", "version": 3, "snapshot": document}).encode())


def broken(raw: bytes, chance: random.Random) -> Iterator[bytes]:
    """The line without one of its signs."""
    at = [number for number, sign in enumerate(raw) if sign in b'{}[],:"']
    for place in chance.sample(at, min(50, len(at))):
        yield raw[:place] + raw[place + 1 :]


def test_a_line_that_lacks_a_sign_is_refused_whole() -> None:
    chance = random.Random(14)
    raw = raw_line(a_snapshot(3, keys=[a_key(), a_key("key_b")], limits=[a_limit(1)]))
    for damaged in broken(raw, chance):
        with pytest.raises(ValueError):
            read(damaged, index_of(a_snapshot(2)))
