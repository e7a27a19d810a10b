"""A key that an object names twice is found, however the text around it looks; the short way agrees with the long."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from mizzen_gateway.protocols.openai.duplicates import named_twice

TEXT = some.text(some.sampled_from('ab:"\\u é'), max_size=4)
PAIRS = some.recursive(
    some.one_of(TEXT, some.integers(0, 9)),
    lambda inner: some.lists(some.tuples(TEXT, inner), max_size=4),
    max_leaves=12,
)


def written(value: object, *, escaped: bool) -> str:
    """Lists of pairs as objects, in which keys may come twice."""
    if not isinstance(value, list):
        text = json.dumps(value, ensure_ascii=False)
        return text.replace(":", "\\u003a") if escaped else text
    pairs = (f"{written(name, escaped=escaped)}: {written(inner, escaped=escaped)}" for name, inner in value)
    return "{" + ", ".join(pairs) + "}"


def has_twice(value: object) -> bool:
    """Some object of it has a key twice."""
    if not isinstance(value, list):
        return False
    names = [name for name, _ in value]
    return len(set(names)) < len(names) or any(has_twice(inner) for _, inner in value)


@given(PAIRS, some.booleans())
def test_a_key_is_found_exactly_where_an_object_has_it_twice(value: object, escaped: bool) -> None:
    body = written(value, escaped=escaped).encode()
    assert (named_twice(body, orjson.loads(body)) is not None) == has_twice(value)


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        (b'{"n":1,"n":2}', "n"),
        (b'{"a":{"n":1,"n":2}}', "n"),
        (b'{"n":{"a":1,"b":2},"n":3}', "n"),
        (b'{"n":1,"\\u006e":2}', "n"),
        (b'{"n":1,"n":2,"a":"\\u003a"}', "n"),
        (b'{"a":"::","n":1}', None),
        (b'{"a":"\\u003a","b":":"}', None),
    ],
)
def test_a_key_that_comes_twice_is_named(body: bytes, twice: str | None) -> None:
    assert named_twice(body, orjson.loads(body)) == twice
