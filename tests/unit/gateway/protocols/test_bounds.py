"""What a hard budget reserves is never less than an engine can use, whatever fields a body combines.

The engine's part is written here once more and on its own: which fields it takes for prompts (in vLLM's order where a
body names several), what it writes once for each prompt, how its templates write tools, and a token for each byte.
"""

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_gateway.protocols.call import Admission
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.routing.deployment import DeploymentFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal
from mizzen_gateway.wire.request import Request

Body = dict[str, Any]
TARGET = Target(DeploymentFacts(("default", "m"), names=("m",)), LoadBook())
SYSTEM, AROUND_A_TURN, ABOUT_TOOLS, SPECIAL = 256, 50, 1100, 3
"""Tokens of a template's own: a system prompt, what it puts around a turn, how to call tools, first and last ones."""
PAIRS = (("queries", "documents"), ("queries", "items"), ("data_1", "data_2"), ("text_1", "text_2"))

texts = st.text(max_size=12) | st.sampled_from(["", "字" * 5, '"\\\n' * 3, "x" * 300])
scalars = st.none() | st.booleans() | st.integers(-9, 10**6) | st.floats(0, 1e16, allow_nan=False) | texts
schemas = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3), max_leaves=12
)
parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts})
sides = texts | st.fixed_dictionaries({"content": st.lists(parts, max_size=6)})
turns = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": texts | st.lists(parts, max_size=3)},
    optional={
        "tool_calls": st.lists(
            st.builds(
                lambda name, arguments: {"function": {"name": name, "arguments": json.dumps(arguments)}},
                texts,
                st.dictionaries(texts, schemas, max_size=3),
            ),
            max_size=2,
        )
    },
)
conversations = st.lists(turns, min_size=1, max_size=4)
tools = st.lists(
    st.builds(
        lambda name, schema: {"type": "function", "function": {"name": name, "parameters": schema}}, texts, schemas
    ),
    max_size=3,
)
ids = st.lists(st.integers(0, 9), min_size=1, max_size=6)
capped: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(1, 4),
    "best_of": st.integers(4, 6),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens"), st.integers(1, 50)),
    **dict.fromkeys(("n_predict", "max_new_tokens"), st.integers(-1, 10**9)),
    "min_tokens": st.integers(0, 99),
}
extra: dict[str, st.SearchStrategy[Any]] = {
    "padding": st.sampled_from(["max_length", "do_not_pad"]),
    "instruction": texts,
    "add_special_tokens": st.booleans(),
    "truncate_prompt_tokens": st.integers(-1, 9),
}
side_lists = sides | st.lists(sides, min_size=1, max_size=5)
BODIES: dict[str, st.SearchStrategy[Body]] = {
    "chat.completions": st.fixed_dictionaries(
        {"messages": conversations},
        optional={
            **capped,
            "tools": tools,
            "documents": st.lists(st.dictionaries(texts, texts, max_size=3), max_size=3),
        },
    ),
    "responses": st.fixed_dictionaries({"input": texts | conversations}, optional={**capped, "tools": tools}),
    "completions": st.fixed_dictionaries(
        {"prompt": texts | st.lists(texts, min_size=1, max_size=5) | ids | st.lists(ids, min_size=1, max_size=4)},
        optional=capped,
    ),
    **dict.fromkeys(
        ("embeddings", "classify"),
        st.fixed_dictionaries(
            {},
            optional={
                "input": texts
                | st.lists(texts, min_size=1, max_size=5)
                | ids
                | conversations
                | st.lists(conversations),
                "messages": conversations,
                **extra,
            },
        ),
    ),
    "rerank": st.fixed_dictionaries({"query": sides, "documents": side_lists}, optional=extra),
    "score": st.fixed_dictionaries(
        {}, optional={**dict.fromkeys(sorted({side for pair in PAIRS for side in pair}), side_lists), **extra}
    ),
}


def size(value: Any) -> int:
    """Bytes of the texts in a prompt."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return sum(size(inner) for inner in value.values())
    return sum(map(size, value)) if isinstance(value, list) else 0


def longest_json(value: Any) -> int:
    """Bytes of the longest JSON that templates write."""
    return max(len(json.dumps(value, indent=4, ensure_ascii=False).encode()), len(json.dumps(value, ensure_ascii=True)))


def conversation(turns: Any, body: Body) -> int:
    """Tokens of what a long-winded template makes of it."""
    count = SYSTEM + SPECIAL
    for turn in turns if isinstance(turns, list) else [{"content": turns}]:
        count += AROUND_A_TURN + size(turn.get("content"))
        for one in turn.get("tool_calls") or ():
            count += size(one["function"]["name"]) + longest_json(json.loads(one["function"]["arguments"]))
    for field in ("tools", "documents"):
        if body.get(field):
            count += ABOUT_TOOLS + longest_json(body[field])
    return count


def prompts_of(value: Any, body: Body) -> list[int]:
    """Tokens of each prompt in `prompt` or `input`."""
    if isinstance(value, list) and isinstance(value[0], dict):
        return [conversation(value, body)]
    if isinstance(value, list) and isinstance(value[0], list) and isinstance(value[0][0], dict):
        return [conversation(turns, body) for turns in value]
    if isinstance(value, list) and isinstance(value[0], int):
        return [len(value) + SPECIAL]
    return (
        [(len(one) if isinstance(one, list) else size(one)) + SPECIAL for one in value]
        if isinstance(value, list)
        else [size(value) + SPECIAL]
    )


def entries(value: Any, each_part: bool) -> list[int]:
    """Bytes of each text of one side; engines differ in whether parts of a content are one text."""
    found = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and each_part and one["content"]:
            found += [size(part["text"]) for part in one["content"]]
        else:
            found.append(sum(size(part["text"]) for part in one["content"]) if isinstance(one, dict) else size(one))
    return found


def pairs_of(one: Any, other: Any, body: Body) -> int:
    """Tokens of all pairs."""
    most = 0
    for each_part in (False, True):
        left, right = entries(one, each_part), entries(other, each_part)
        if len(left) == 1:
            left *= len(right)
        template = 100 + SPECIAL + size(body.get("instruction"))
        most = max(most, sum(a + b + template for a, b in zip(left, right, strict=False)))
    return most


def used(operation: str, body: Body) -> tuple[int, int]:
    """The most tokens and prompts that an engine makes of a body."""
    if operation in {"chat.completions", "responses"}:
        return conversation(body["messages" if operation == "chat.completions" else "input"], body), 1
    if operation in {"completions", "embeddings", "classify"}:
        field = next(name for name in ("prompt", "input", "messages") if name in body)
        found = prompts_of(body[field], body)
        return sum(found), len(found)
    if operation == "rerank":
        return pairs_of(body["query"], body["documents"], body), 0
    one, other = next(pair for pair in PAIRS if pair[0] in body and pair[1] in body)
    return pairs_of(body[one], body[other], body), 0


def hard(bound: Estimate) -> int:
    """Tokens of the prompt that a hard budget reserves."""
    return bound.input_tokens if bound.closer_input is None else bound.closer_input()


def parsed(operation: str, raw: bytes) -> OpenAICall | None:
    made = parse(operation, Request(b"POST", b"/", b"/", {}, True, True, body=raw))
    return None if isinstance(made, Refusal) else made


@pytest.mark.parametrize("operation", sorted(BODIES))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_engine_uses_more_than_is_reserved(operation: str, data: st.DataObject) -> None:
    body = {"model": "m", **data.draw(BODIES[operation])}
    raw = json.dumps(body, ensure_ascii=data.draw(st.booleans()), separators=(",", ":")).encode()
    call = parsed(operation, raw)
    if call is None:
        return
    bound = call.estimate(TARGET)
    assert bound.why_unbounded is not None
    if bound.why_unbounded() is not None:
        return
    assert body.get("padding") != "max_length", "each prompt is as long as the engine's longest"
    tokens, prompts = used(operation, body)
    assert tokens <= hard(bound)
    if not bound.choices:
        return
    assert bound.choices >= prompts * max(body.get("n", 1), body.get("best_of", 1))
    sent = orjson.loads(call.engine_request(Admission("Other", "m", "", bound.output_tokens, "r")).body)
    caps = [value for field, value in sent.items() if field.startswith(("max_", "n_", "min_"))]
    assert caps
    assert max(caps) <= bound.output_tokens
    assert min(caps) >= 0, "-1 is without an end"


@pytest.mark.parametrize(
    ("operation", "body", "named"),
    [
        ("score", {"text_1": "a", "text_2": "b", "queries": "q", "documents": ["d"]}, ("text_1", "queries")),
        ("score", {"queries": "a", "documents": "b", "items": ["c"]}, ("documents", "items")),
        ("embeddings", {"input": "a", "messages": [{"role": "user", "content": "b"}]}, ("messages", "input")),
    ],
)
def test_two_inputs_in_one_body_are_refused_by_their_names(operation: str, body: Body, named: tuple[str, ...]) -> None:
    raw = orjson.dumps({"model": "m", **body})
    refusal = parse(operation, Request(b"POST", b"/", b"/", {}, True, True, body=raw))
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    assert all(name in refusal.message for name in named)
    assert "alone" in refusal.message


@pytest.mark.parametrize(("field", "value"), [("padding", "max_length"), ("n_cmpl", 50)])
def test_what_makes_prompts_or_choices_more_is_refused_under_a_hard_budget(field: str, value: Any) -> None:
    call = parsed("embeddings", orjson.dumps({"model": "m", "input": "a", field: value}))
    assert call is not None, "no budget, no refusal"
    why = call.estimate(TARGET).why_unbounded
    assert why is not None
    refusal = why()
    assert refusal is not None
    assert (refusal.status, refusal.param) == (400, field)


def test_a_query_and_an_instruction_are_held_for_each_part_of_a_document() -> None:
    content = [{"type": "text", "text": "d"}] * 1000
    asked = {"model": "m", "query": "q" * 500, "instruction": "i" * 500, "documents": {"content": content}}
    call = parsed("rerank", orjson.dumps(asked))
    assert call is not None
    assert call.estimate(TARGET).input_tokens >= 1000 * 1000
    asked["documents"] = {"content": content * 3}
    assert parsed("rerank", orjson.dumps(asked)) is None, "as many as documents are taken"


@pytest.mark.parametrize("name", [b"arguments", b"\\u0061rguments"])
def test_arguments_of_calls_are_held_as_long_as_a_template_writes_them(name: bytes) -> None:
    arguments = {"a": [9e15] * 2000}
    written = orjson.dumps(orjson.dumps(arguments).replace(b"9000000000000000.0", b"9e15").decode())
    raw = b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","' + name + b'":'
    call = parsed("chat.completions", raw + written + b"}}]}]}")
    assert call is not None
    assert hard(call.estimate(TARGET)) >= longest_json(arguments) > 3 * len(written)


def test_tools_are_held_with_what_a_template_says_of_them() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    call = parsed("chat.completions", orjson.dumps({"model": "m", "messages": [{"role": "user"}], "tools": [tool]}))
    assert call is not None
    assert call.estimate(TARGET).input_tokens >= used("chat.completions", call.body)[0]


@pytest.mark.parametrize("arguments", ["[" * 300 + "1" + "]" * 300, '{"a":[NaN,' + "1," * 500 + "1]}", "no JSON", "{"])
def test_arguments_that_only_some_readers_take_are_held_too(arguments: str) -> None:
    turn = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
    call = parsed("chat.completions", orjson.dumps({"model": "m", "messages": [turn]}))
    assert call is not None
    read = arguments
    with suppress(ValueError):
        read = json.loads(arguments)
    assert call.estimate(TARGET).input_tokens >= longest_json(read)


@pytest.mark.parametrize("field", ["documents", "functions", "response_format", "text"])
@pytest.mark.parametrize("value", [5, "x", True, {"a": 1}, [1]])
def test_any_value_of_a_field_without_a_rule_is_counted(field: str, value: Any) -> None:
    call = parsed("chat.completions", orjson.dumps({"model": "m", "messages": [{"role": "user"}], field: value}))
    assert call is not None
    assert call.estimate(TARGET).input_tokens > 256
