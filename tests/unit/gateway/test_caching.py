"""Which requests are the same, and what is kept of their answers, for how long, and how much of it."""

from typing import Any

import orjson
import pytest
from mizzen_gateway.caching import ResponseCache, cut_short, key_of, oldest_wanted
from mizzen_gateway.routing.route import CacheFacts

STRICT, SAMPLED = CacheFacts(300), CacheFacts(300, sampled=True)
CHAT: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}


def key(body: dict[str, Any], rules: CacheFacts = STRICT, project: str = "prj_a", **more: Any) -> bytes | None:
    operation, varying = more.get("operation", "chat.completions"), more.get("varying", [])
    return key_of(rules, operation, project, varying, orjson.dumps(body), more.get("behind", ("r", 1)))


def test_the_order_of_fields_absent_ones_and_those_without_effect_make_no_difference() -> None:
    other = {"temperature": 0, "messages": CHAT["messages"], "model": "alias", "user": "me", "stop": None}
    assert key(CHAT) == key(other) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{"role": "user", "content": "hi "}]},
        {"max_tokens": 5},
        {"parallel_tool_calls": False},
        {"seed": 1},
        {"cache_salt": "x"},
    ],
)
def test_what_may_change_an_answer_makes_another_request(change: dict[str, Any]) -> None:
    assert key(CHAT) != key(CHAT | change)


def test_tenants_and_states_of_the_route_are_kept_apart() -> None:
    assert len({key(CHAT), key(CHAT, project="prj_b"), key(CHAT, behind=("r", 2))}) == 3
    assert key(CHAT, operation="completions") != key(CHAT)


def test_sampled_outputs_are_kept_only_where_the_route_asks_for_it() -> None:
    for body in (CHAT | {"temperature": 0.7}, {name: CHAT[name] for name in ("model", "messages")}):
        assert key(body) is None
        assert key(body, SAMPLED) is not None
    assert key({"model": "m", "input": "x"}, operation="embeddings") is not None, "nothing is sampled"


def test_streams_tensors_and_what_must_not_be_stored_are_left_out() -> None:
    assert key(CHAT | {"stream": True}) is None
    assert key(CHAT, operation="infer") is None


def test_headers_that_engines_get_and_fields_that_an_answer_repeats_make_another_request() -> None:
    assert len({key(CHAT), key(CHAT, varying=[b"de"]), key(CHAT, varying=[b"fr"])}) == 3
    mine, yours = ({"model": "m", "input": "x", "temperature": 0, "metadata": {"of": who}} for who in ("me", "you"))
    assert key(mine, operation="responses") != key(yours, operation="responses")
    assert key(mine, operation="completions") == key(yours, operation="completions")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"", float("inf")),
        (b"No-Cache", 0.0),
        (b"max-age=0", 0.0),
        (b"max-age=60, max-age=5", 5.0),
        (b"max-age=x", float("inf")),
        (b"max-age=5, NO-STORE", None),
        (b"x-no-store", float("inf")),
    ],
)
def test_a_caller_says_how_old_an_answer_may_be(header: bytes, seconds: float | None) -> None:
    assert oldest_wanted({b"cache-control": header}) == seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_given_again_with_its_age_until_its_time_is_over() -> None:
    clock = Clock()
    cache = ResponseCache(clock)
    cache.put(b"k", b"answer")
    clock.now = 9.9
    assert cache.find(b"k", 10, oldest=9.9) is None
    assert cache.find(b"k", 10) == (b"answer", 9)
    clock.now = 10.0
    assert cache.find(b"k", 10) is None
    assert cache.bytes == 0, "and forgotten"


def test_what_is_kept_is_bounded_and_the_longest_unused_goes_first() -> None:
    cache = ResponseCache(Clock(), most_bytes=30)
    for name in (b"a", b"b", b"c"):
        cache.put(name, bytes(10))
    assert cache.find(b"a", 1)
    cache.put(b"d", bytes(10))
    assert [bool(cache.find(name, 1)) for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    cache.put(b"d", bytes(5))
    assert cache.bytes == 25


def test_an_answer_that_a_budget_cut_short_is_nobody_elses() -> None:
    body = b'{"choices":[{"finish_reason":"length"}]}'
    assert cut_short(body, 5)
    assert not cut_short(body, None)
    assert not cut_short(b'{"choices":[{"finish_reason":"stop"}]}', 5)
