"""What a body of the OpenAI API must keep, and what becomes of it on its way to the engine."""

from typing import Any

import orjson
import pytest
from mizzen_gateway.protocols.call import Admission
from mizzen_gateway.protocols.open_inference.errors import engine_refused as inference_refused
from mizzen_gateway.protocols.openai.abilities import HELD
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.protocols.openai.errors import OpenAIDialect, engine_refused
from mizzen_gateway.routing.deployment import DeploymentFacts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request

MESSAGES = [{"role": "user", "content": "hi"}]


def request(body: object) -> Request:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Request(b"POST", b"/", b"/", {}, True, True, body=raw)


def nested(depth: int) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for _ in range(depth):
        held = {"a": held}
    return held


def call(operation: str = "chat.completions", **body: Any) -> OpenAICall:
    filled = {"model": "m", **({"messages": MESSAGES} if operation == "chat.completions" else {}), **body}
    parsed = parse(operation, request(filled))
    assert isinstance(parsed, OpenAICall), parsed
    return parsed


def target(max_model_len: int | None = None) -> Target:
    return Target(DeploymentFacts(("default", "m"), names=("m",), max_model_len=max_model_len), LoadBook())


def sent(made: OpenAICall, engine: str = "vLLM", cap: int | None = None) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(made.engine_request(Admission(engine, "inner", "salt", cap, "req_1")).body)
    return body


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages[0]"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": True}, "n"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"max_tokens": 1_000_001}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"prompt_embeds": "x"}, "prompt_embeds"),
        ({"logits_processors": ["os.system"]}, "logits_processors"),
        ({"chat_template": "{{ x }}"}, "chat_template"),
        ({"use_beam_search": True}, "use_beam_search"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]}
                ]
            },
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "file:///etc/passwd"}]}]},
            "messages[0].content[0].image_url",
        ),
        ({"stop": ["x"] * 33}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"stop": "x" * 1001}, "stop"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"prompt_logprobs": -1}, "prompt_logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"logit_bias": {str(number): 1 for number in range(1025)}}, "logit_bias"),
        ({"tools": [{"type": "mcp", "server_url": "http://10.0.0.1"}]}, "tools[0].type"),
        ({"tools": "all"}, "tools"),
        ({"response_format": nested(70)}, "response_format"),
        ({"messages": [{"role": "user", "content": nested(200)}]}, "messages[0]"),
        ({"surprise": nested(200)}, "surprise"),
        ({"surprise": [{"image_url": "http://10.0.0.1"}]}, "surprise[0].image_url"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_embeds", "image_embeds": "x"}]}]},
            "messages[0].content[0].image_embeds",
        ),
        (
            {"messages": [{"role": "tool", "content": [{"type": "audio_url", "audio_url": {"url": "HTTP://a"}}]}]},
            "messages[0].content[0].audio_url",
        ),
        ({"messages": [{"role": "user", "content": "x", "more": {"video_url": "//a"}}]}, "messages[0].more.video_url"),
        ({"media_io_kwargs": {"video": {"num_frames": -1}}}, "media_io_kwargs"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(change: dict[str, Any], param: str) -> None:
    refusal = parse("chat.completions", request({"model": "m", "messages": MESSAGES, **change}))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.param) == (400, param)
    assert refusal.message.startswith(param.split("[")[0])


RESPONSE = {"model": "m", "input": "hi"}


@pytest.mark.parametrize(
    ("operation", "body", "param"),
    [
        ("responses", {"store": True}, "store"),
        ("responses", {"background": True}, "background"),
        ("responses", {"previous_response_id": "resp_1"}, "previous_response_id"),
        ("responses", {"conversation": "conv_1"}, "conversation"),
        ("responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
        ("responses", {"input": []}, "input"),
        ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        (
            "responses",
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            "responses",
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "http://a"}]}]},
            "input[0].content[0].file_url",
        ),
        ("responses", {"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ("responses", {"max_output_tokens": 0}, "max_output_tokens"),
        ("rerank", {"documents": ["a"]}, "query"),
        ("rerank", {"query": "a", "documents": []}, "documents"),
        ("rerank", {"query": "a", "documents": ["a"] * 2049}, "documents"),
        (
            "rerank",
            {"query": "a", "documents": {"content": [{"type": "image_url", "image_url": "http://a"}]}},
            "documents.content[0].image_url",
        ),
        ("score", {"text_1": "a"}, "text_1"),
        ("score", {"text_1": ["a", "b"], "text_2": ["a", "b", "c"]}, "text_1"),
        (
            "score",
            {"queries": {"content": [{"image_url": "http://a"}]}, "documents": "b"},
            "queries.content[0].image_url",
        ),
        ("classify", {"input": ""}, "input"),
        ("classify", {"input": "a", "stream": True}, "stream"),
        (
            "classify",
            {"messages": [{"role": "user", "content": [{"image_url": "http://a"}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            "embeddings",
            {"input": [{"role": "user", "content": [{"image_url": {"url": "http://a"}}]}]},
            "input[0].content[0].image_url",
        ),
        (
            "embeddings",
            {"input": "a", "messages": [{"content": [{"image_url": {"url": "http://a"}}]}]},
            "messages[0].content[0].image_url",
        ),
        ("completions", {"prompt": ["a"] * 2049}, "prompt"),
    ],
)
def test_each_operation_keeps_its_own_rules(operation: str, body: dict[str, Any], param: str) -> None:
    filled = {"model": "m", **({"input": "hi"} if operation == "responses" else {}), **body}
    refusal = parse(operation, request(filled))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.param) == (400, param)
    assert refusal.message.startswith(param.split("[")[0])


def test_a_field_of_a_tools_schema_may_be_called_like_a_url() -> None:
    schema = {"type": "object", "properties": {"image_url": {"type": "string", "default": "http://a"}}}
    function = {"name": "show", "parameters": schema, "examples": [{"image_url": "http://a"}]}
    made = call(tools=[{"type": "function", "function": function}])
    assert made.estimate(target()).why_unbounded() is None  # type: ignore[misc]  # it is set


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"file_data": "AA=="}},
    ],
)
def test_what_becomes_nobody_knows_how_many_tokens_has_no_bound(part: dict[str, Any]) -> None:
    made = call(messages=[{"role": "user", "content": [{"type": "text", "text": "what is it?"}, part]}])
    refusal = made.estimate(target()).why_unbounded()  # type: ignore[misc]  # it is set
    assert refusal is not None
    assert refusal.code == "unbounded_input"
    assert refusal.message.startswith("messages[0].content[1].")


@pytest.mark.parametrize(
    "twice", [b'"max_tokens":1', b'"\\u006dax_tokens":1', b'"tools":[{"function":{"name":"a","name":"b"}}]']
)
def test_a_key_that_comes_twice_has_no_bound(twice: bytes) -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,' + twice + b"}"
    made = parse("chat.completions", request(raw))
    assert isinstance(made, OpenAICall)
    refusal = made.estimate(target()).why_unbounded()  # type: ignore[misc]  # it is set
    assert refusal is not None
    assert refusal.code == "duplicate_key"
    once = call(max_tokens=5).estimate(target()).why_unbounded
    assert once is not None
    assert once() is None


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"a":1}{"b":2}'])
def test_a_body_that_is_not_one_json_object_is_refused(raw: bytes) -> None:
    refusal = parse("chat.completions", request(raw))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "invalid_json"


def test_a_data_url_passes() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert call(messages=[{"role": "user", "content": [part]}])


def test_what_a_caller_may_not_set_is_replaced_or_left_out() -> None:
    body = sent(call(cache_salt="mine", priority=9, kv_transfer_params={}, temperature=0.5))
    assert body["cache_salt"] == "salt"
    assert body["model"] == "inner"
    assert body["temperature"] == 0.5
    assert "priority" not in body
    assert "kv_transfer_params" not in body
    assert "cache_salt" not in sent(call(cache_salt="mine"), engine="Simulated")


def test_the_reserved_cap_is_written_into_every_field_that_caps() -> None:
    body = sent(call(max_tokens=900, max_completion_tokens=10, min_tokens=500), cap=42)
    assert (body["max_tokens"], body["max_completion_tokens"], body["min_tokens"]) == (42, 42, 42)
    every = sent(call(max_output_tokens=900), cap=42)
    assert every["max_output_tokens"] == 42
    response = sent(call("responses", input="x", max_output_tokens=900, max_tokens=900), cap=42)
    assert (response["max_output_tokens"], response["max_tokens"], response["store"]) == (42, 42, False)
    prompt = sent(call("completions", prompt="x"), cap=42)
    assert prompt["max_tokens"] == 42
    assert "max_completion_tokens" not in prompt


def test_without_a_reserved_cap_the_caller_keeps_its_own() -> None:
    assert sent(call(max_tokens=9))["max_tokens"] == 9
    assert "max_tokens" not in sent(call())


def test_the_estimate_is_an_upper_bound() -> None:
    text = "字" * 1000
    estimate = call(messages=[{"role": "user", "content": text}], n=3, max_tokens=50).estimate(target())
    assert estimate.input_tokens >= len(text.encode())
    assert (estimate.choices, estimate.output_tokens) == (3, 50)
    many = call("completions", prompt=["a", "b"], n=2, best_of=4, max_tokens=5).estimate(target())
    assert (many.choices, many.output_tokens) == (8, 5)
    assert call("completions", prompt=[1, 2, 3]).estimate(target()).choices == 1
    assert call().estimate(target(max_model_len=512)).output_tokens == 512
    assert call("embeddings", input="x").estimate(target()).choices == 0
    embedded = call("embeddings", input=["a"] * 1000).estimate(target())
    assert len("a") * 1000 < embedded.input_tokens < 25_000, "many short texts are not held for long ones"
    ranked = call("rerank", query="q" * 1000, documents=["a"] * 50).estimate(target())
    assert ranked.input_tokens >= 50 * 1000
    assert ranked.choices == 0
    scored = call("score", text_1="q" * 1000, text_2=["a"] * 50).estimate(target())
    assert scored.input_tokens >= 50 * 1000
    response = call("responses", input="hi", max_output_tokens=7).estimate(target())
    assert (response.choices, response.output_tokens) == (1, 7)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"enum": [1] * 500}}}]
    assert call(tools=tools).estimate(target()).input_tokens > 3 * 1000


async def test_a_cap_beyond_the_context_is_refused_with_both_figures() -> None:
    narrow = target(max_model_len=512)
    narrow.metadata[HELD] = frozenset({"/v1/chat/completions"})
    refusal = await call(max_tokens=600).check(narrow, None)  # type: ignore[arg-type]  # never asked
    assert refusal is not None
    assert "600" in refusal.message
    assert "512" in refusal.message


def test_every_error_has_all_four_keys() -> None:
    error = orjson.loads(OpenAIDialect().render(Refusal(429, "rate_limit_exceeded", "m")))["error"]
    assert set(error) == {"message", "type", "param", "code"}


def test_of_an_engines_refusal_only_known_figures_are_told() -> None:
    text = b"This model's maximum context length is 2048 tokens. SECRET"
    refusal = engine_refused(400, text, "m")
    assert refusal.code == "context_length_exceeded"
    assert "2048" in refusal.message
    assert "SECRET" not in refusal.message
    assert engine_refused(404, text, "m").status == 502
    missing = engine_refused(404, b'{"detail":"Not Found"} SECRET', "m")
    assert (missing.status, missing.code) == (404, "endpoint_not_available")
    assert "SECRET" not in missing.message


@pytest.mark.parametrize("status", [204, 408, 429, 500, 503])
def test_what_is_no_fault_of_the_callers_is_told_as_the_upstreams(status: int) -> None:
    refusal = engine_refused(status, b"", "m")
    assert (refusal.status, refusal.code) == (502, "upstream_error")
    assert "try again" in refusal.message


@pytest.mark.parametrize("status", [301, 307, 308, 401, 403, 404])
def test_of_an_engine_that_refuses_the_gateway_it_is_not_said_to_try_again(status: int) -> None:
    for refusal in (engine_refused(status, b"", "m"), inference_refused(status, "m")):
        assert (refusal.status, refusal.code) == (502, "upstream_error")
        assert "Model 'm' could not be asked: its engine does not take what this gateway sends it" in refusal.message
        assert "try again" not in refusal.message
    assert inference_refused(404, "m", "2").code == "version_not_found", "what the caller named itself"
