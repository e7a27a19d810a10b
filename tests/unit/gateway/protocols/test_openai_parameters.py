"""What a body of the OpenAI API must keep, and what becomes of it on its way to the engine."""

from typing import Any

import orjson
import pytest
from mizzen_gateway.protocols.call import Admission
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


def call(operation: str = "chat.completions", **body: Any) -> OpenAICall:
    filled = {"model": "m", "messages": MESSAGES, **body}
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
    ],
)
def test_a_wrong_parameter_is_refused_by_name(change: dict[str, Any], param: str) -> None:
    refusal = parse("chat.completions", request({"model": "m", "messages": MESSAGES, **change}))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.param) == (400, param)
    assert refusal.message.startswith(param.split("[")[0])


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


async def test_a_cap_beyond_the_context_is_refused_with_both_figures() -> None:
    refusal = await call(max_tokens=600).check(target(max_model_len=512), None)  # type: ignore[arg-type]  # never asked
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
