"""What a watch tells of an own write is no news; what others did meanwhile is."""

from contextlib import ExitStack

from mizzen_kube.kept import Change, Key
from mizzen_kube.own_writes import OwnWrites

KEY: Key = ("default", "one")


def change(version: str, kind: str = "MODIFIED") -> Change:
    return Change(kind, KEY, "uid", (), manifest(version))  # type: ignore[arg-type]  # a literal type


def manifest(version: str) -> dict[str, object]:
    return {"metadata": {"namespace": "default", "name": "one", "uid": "uid", "resourceVersion": version}}


def test_what_happens_while_nothing_is_written_is_news_at_once() -> None:
    told: list[Change] = []
    OwnWrites(told.append).hear(change("1"))
    assert told == [change("1")]


def test_a_watch_that_is_faster_than_the_answer_tells_no_news() -> None:
    told: list[Change] = []
    own = OwnWrites(told.append)
    with own.under_way(KEY):
        own.hear(change("2"))
        assert own.answered(manifest("2"))
    assert told == []


def test_what_somebody_else_did_during_the_write_is_news_after_it() -> None:
    told: list[Change] = []
    own = OwnWrites(told.append)
    with own.under_way(KEY):
        own.hear(change("2"))
        own.hear(change("3"))
        assert own.answered(manifest("2"))
        assert told == []
    assert told == [change("3")]


def test_what_was_told_during_a_write_that_failed_is_news() -> None:
    told: list[Change] = []
    own = OwnWrites(told.append)
    failing = ExitStack()
    failing.enter_context(own.under_way(KEY))
    own.hear(change("2"))
    failing.__exit__(TimeoutError, TimeoutError(), None)
    assert told == [change("2")]


def test_an_answer_brings_nothing_back_that_was_told_deleted() -> None:
    told: list[Change] = []
    own = OwnWrites(told.append)
    with own.under_way(KEY):
        own.hear(change("2", "ADDED"))
        own.hear(change("3", "DELETED"))
        assert not own.answered(manifest("2"))
    assert change("3", "DELETED") in told


def test_other_objects_do_not_wait() -> None:
    told: list[Change] = []
    own = OwnWrites(told.append)
    with own.under_way(("default", "other")):
        own.hear(change("2"))
        assert told == [change("2")]
