"""What a long JSON object says at its own level is found in whatever pieces it comes; nothing else is touched."""

import json
import random
from typing import Any

import pytest
from mizzen_gateway.protocols.openai.long_document import LONGEST_HELD, LongDocument

TEXTS = ["a", "\\", '"', "{", "]}", "model", '\\"', "é", '"usage":{', "\n", "x" * 50]
USAGE = {"prompt_tokens": 7, "completion_tokens": 5}


def value(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if depth > 4 or kind < 0.3:
        return chance.choice([1, -2.5e3, None, True, *TEXTS])
    if kind < 0.65:
        return [value(chance, depth + 1) for _ in range(chance.randrange(5))]
    names = ["a", "model", "usage", "error", 'b"', "{"]
    return {chance.choice(names): value(chance, depth + 1) for _ in range(chance.randrange(4))}


def document(chance: random.Random) -> dict[str, Any]:
    told: list[tuple[str, Any]] = [(chance.choice('abc\\"') + str(n), value(chance, 0)) for n in range(4)]
    for one in (("model", 'in"ner\\'), ("usage", {**USAGE, "x": value(chance, 2)}), ("error", None)):
        if chance.random() < 0.8:
            told.insert(chance.randrange(len(told) + 1), one)
    return dict(told)


def fed(raw: bytes, public: str | None, piece: int) -> tuple[LongDocument, bytes]:
    read = LongDocument(public)
    return read, b"".join(read.feed(raw[at : at + piece]) for at in range(0, len(raw), piece))


def test_any_document_goes_on_as_it_is_but_for_the_models_name() -> None:
    for seed in range(200):
        print("seed", seed)
        chance = random.Random(seed)
        told = document(chance)
        raw = json.dumps(told, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 2])).encode()
        read, passed = fed(raw, 'pub"lic', chance.choice([1, 2, 5, 40, 100_000]))
        assert read.whole
        assert not read.unfit
        assert (read.usage is not None) == ("usage" in told)
        assert json.loads(passed) == (told if "model" not in told else {**told, "model": 'pub"lic'})


def test_bytes_stay_as_they_are_where_nothing_is_renamed() -> None:
    raw = b' {"model" :\t"m",\r\n "data":[1.0, {"model":"m"}] , "usage":{"prompt_tokens":3}}\n'
    read, passed = fed(raw, None, 3)
    assert passed == raw
    assert read.usage is not None
    assert read.usage.input_tokens == 3


def test_the_name_of_the_model_stands_behind_a_long_list_too() -> None:
    rows = ",".join('{"embedding":[0.125,-3e-05],"text":"}]\\"{"}' for _ in range(5000))
    raw = f'{{"data":[{rows}],"model":"inner","usage":{{"prompt_tokens":9}}}}'.encode()
    read, passed = fed(raw, "public", 1000)
    assert passed == raw.replace(b'"inner"', b'"public"')
    assert read.usage is not None
    assert read.usage.input_tokens == 9


@pytest.mark.parametrize(
    "raw", [b"[1,2]", b"<html>", b'"text"', b"17", b'{"error":{"message":"SECRET"}}', b'{"a":1,"error" : "SECRET"}',
            b'{"a":{}} {"b":1}']
)  # fmt: skip
def test_what_is_no_answer_is_unfit(raw: bytes) -> None:
    read, passed = fed(raw, "public", 4)
    assert read.unfit
    assert b"SECRET" not in passed


@pytest.mark.parametrize("raw", [b'{"a":[1,2', b'{"a":"x', b'{"a":1', b"  "])
def test_what_ends_too_early_is_not_whole(raw: bytes) -> None:
    read, _ = fed(raw, None, 4)
    assert not read.whole


def test_a_usage_that_is_no_usage_is_none() -> None:
    much = b'"' + b"x" * (2 * LONGEST_HELD) + b'"'
    for told in (b"7", b'"many"', b"[1]", b'{"prompt_tokens":' + much + b"}"):
        read, _ = fed(b'{"usage":' + told + b"}", None, 1000)
        assert read.whole
        assert read.usage is None


def test_a_name_without_end_is_not_held_for_ever() -> None:
    read, _ = fed(b'{"' + b"k" * (2 * LONGEST_HELD), None, 1000)
    assert read.unfit
