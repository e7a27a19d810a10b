"""The package `openai`, unmodified, against the gateway and an engine, simulated or real."""

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import openai
import pytest
from pydantic import BaseModel
from support.access_snapshots import a_budget, a_limit, a_price
from support.gateway import gateway_process, make_key, make_snapshot, model_deployment
from support.language_engines import MODEL, LanguageEngine
from support.plain_http import NOBODY

KEY = make_key()
NARROW = make_key(models=["other"])
LIMITED = make_key("limited")
POOR = make_key("poor")
LIMITS = {
    "limits": [a_limit(1, scope_id="prj_limited", window_seconds=1)],
    "budgets": [a_budget(10, scope_id="prj_poor")],
    "prices": [a_price(pico_per_request=1000)],
}
MESSAGES: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,  # else vLLM lets a model that writes nonsense write it
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "enum": ["Bern", "Oslo"]},
                "days": {"type": "integer", "enum": [1, 2]},
            },
            "required": ["place", "days"],
            "additionalProperties": False,
        },
    },
}
CALLED: Any = {"tools": [WEATHER], "tool_choice": "required", "temperature": 0, "max_tokens": 250}
"""So small a model says much before it calls, where it is let."""


@pytest.fixture(scope="module")
def url(engine: LanguageEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    spaces = ("default", "limited", "poor")
    objects = [model_deployment("chat", aliases=["gpt-4o"]), model_deployment("other"), model_deployment("embedder")]
    objects += [model_deployment("chat", namespace=name) for name in ("limited", "poor")]
    objects += [engine.endpoints("chat", name) for name in spaces]
    objects.append(engine.endpoints("embedder"))
    snapshot = make_snapshot([KEY, NARROW, LIMITED, POOR], projects=spaces, **LIMITS)
    with gateway_process(tmp_path_factory.mktemp("gateway"), snapshot, *objects) as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url + "/v1", api_key=KEY.text, max_retries=0) as found:
        yield found


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"chat", "embedder", "gpt-4o", "other"}
    assert client.models.retrieve("chat").id == "chat"


@pytest.mark.parametrize("model", ["chat", "gpt-4o"])
def test_a_chat_answers_under_the_name_that_was_asked(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], max_tokens=5)
    assert answer.model == model
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 1 <= answer.usage.completion_tokens <= 5


def test_a_streamed_chat_ends_well_and_without_usage_unless_asked(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=8, stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in chunks)
    assert all(one.usage is None for one in chunks)
    options = {"include_usage": True}
    asked = list(
        client.chat.completions.create(
            model="chat", messages=MESSAGES, max_tokens=8, stream=True, stream_options=options
        )
    )
    assert asked[-1].choices == []
    assert asked[-1].usage is not None
    assert asked[-1].usage.completion_tokens >= 1


def test_completions_and_embeddings_answer(client: openai.OpenAI) -> None:
    assert client.completions.create(model="chat", prompt="once", max_tokens=4).choices[0].text
    found = client.embeddings.create(model="embedder", input=["a", "b"])
    assert [one.index for one in found.data] == [0, 1]
    assert len(found.data[0].embedding) > 0


def test_refusals_become_the_exceptions_of_the_package(client: openai.OpenAI, url: str) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="nobody", messages=MESSAGES)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=0)
    assert wrong.value.param == "max_tokens"
    with openai.OpenAI(base_url=url + "/v1", api_key="mzk_wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.models.list()
        assert refused.value.code == "invalid_api_key"
    with (
        openai.OpenAI(base_url=url + "/v1", api_key=NARROW.text, max_retries=0) as narrow,
        pytest.raises(openai.PermissionDeniedError) as forbidden,
    ):
        narrow.chat.completions.create(model="chat", messages=MESSAGES)
    assert forbidden.value.code == "model_not_allowed"


def test_a_tool_is_called_and_its_answer_taken(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="chat", messages=MESSAGES, **CALLED)
    (called,) = answer.choices[0].message.tool_calls or ()
    assert answer.choices[0].finish_reason == "tool_calls"
    assert called.type == "function"
    assert_fits(called.function.arguments)
    result: Any = {"role": "tool", "tool_call_id": called.id, "content": "sunny"}
    turns = [*MESSAGES, answer.choices[0].message, result]
    answered: Any = {**CALLED, "tool_choice": "none", "max_tokens": 8, "extra_body": {"min_tokens": 4}}
    last = client.chat.completions.create(model="chat", messages=turns, **answered)
    assert last.choices[0].message.content


def assert_fits(arguments: str) -> None:
    asked = json.loads(arguments)
    assert set(asked) == {"place", "days"}
    assert asked["place"] in {"Bern", "Oslo"}
    assert asked["days"] in {1, 2}


def test_a_tool_call_is_streamed(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="chat", messages=MESSAGES, **CALLED) as stream:
        final = stream.get_final_completion()
    (called,) = final.choices[0].message.tool_calls or ()
    assert_fits(called.function.arguments)


MAY_CALL: Any = {"tools": [WEATHER], "tool_choice": "auto", "temperature": 0, "max_tokens": 60}
"""A model may then call or write, and a small one writes whatever it likes; the simulated one calls, and writes once it
has a tool's answer."""
HAS_AN_ANSWER: Any = [
    *MESSAGES,
    {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
]


@pytest.mark.parametrize(("turns", "called"), [(MESSAGES, True), (HAS_AN_ANSWER, False)])
def test_a_model_that_may_call_a_tool_is_passed_on_as_it_chose(
    client: openai.OpenAI, engine: LanguageEngine, turns: Any, called: bool
) -> None:
    extra = {"min_tokens": 4}
    answer = client.chat.completions.create(model="chat", messages=turns, **MAY_CALL, extra_body=extra)
    (choice,) = answer.choices
    calls = [one.to_dict() for one in choice.message.tool_calls or ()]
    assert_chosen(choice.message.content, calls, choice.finish_reason, answer.usage)
    if engine.begins:
        assert bool(calls) is called
    document = {**MAY_CALL, **extra, "model": MODEL, "messages": turns}
    with httpx.Client(trust_env=False, timeout=120, verify=NOBODY) as direct:
        told = direct.post("http://{}:{}/v1/chat/completions".format(*engine.chat), json=document).json()
    assert set(answer.to_dict()) == set(told)
    (same,) = told["choices"]
    if bool(same["message"].get("tool_calls")) == bool(calls):
        assert set(choice.to_dict()) == set(same)
        assert set(choice.message.to_dict()) == set(same["message"])


@pytest.mark.parametrize(("turns", "called"), [(MESSAGES, True), (HAS_AN_ANSWER, False)])
def test_what_a_model_chose_is_streamed_whole(
    client: openai.OpenAI, engine: LanguageEngine, turns: Any, called: bool
) -> None:
    content, calls, ends, names, usage = "", dict[int, Any](), list[str](), set[tuple[str, str]](), None
    asked = {**MAY_CALL, "extra_body": {"min_tokens": 4}, "stream_options": {"include_usage": True}}
    for chunk in client.chat.completions.create(model="chat", messages=turns, stream=True, **asked):
        names.add((chunk.id, chunk.model))
        usage = chunk.usage or usage
        for choice in chunk.choices:
            content += choice.delta.content or ""
            for part in choice.delta.tool_calls or ():
                one = calls.setdefault(part.index, {"type": "function", "function": {"name": "", "arguments": ""}})
                one["id"] = part.id or one.get("id")
                one["function"]["name"] += (part.function and part.function.name) or ""
                one["function"]["arguments"] += (part.function and part.function.arguments) or ""
            ends += [choice.finish_reason] if choice.finish_reason else []
    assert len(names) == len(ends) == 1
    assert {model for _, model in names} == {"chat"}
    assert_chosen(content, list(calls.values()), ends[0], usage)
    if engine.begins:
        assert bool(calls) is called


def assert_chosen(content: str | None, calls: list[Any], end: str, usage: Any) -> None:
    """Text or calls are there, and each call is whole, unless the model had no tokens left for it."""
    assert content or calls
    assert end in ({"tool_calls", "length"} if calls else {"stop", "length"})
    for one in calls:
        assert one["id"]
        assert one["type"] == "function"
        assert one["function"]["name"]
        if usage.completion_tokens < MAY_CALL["max_tokens"]:
            json.loads(one["function"]["arguments"])


class Forecast(BaseModel):
    place: Literal["Bern", "Oslo"]
    days: Literal[1, 2]


def test_structured_outputs_fit_their_schema(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(
        model="chat", messages=MESSAGES, response_format=Forecast, max_tokens=250, temperature=0
    )
    assert isinstance(parsed.choices[0].message.parsed, Forecast)
    response = client.responses.parse(
        model="chat", input="hi", text_format=Forecast, max_output_tokens=250, temperature=0
    )
    assert isinstance(response.output_parsed, Forecast)


def test_a_response_answers_whole_and_in_events(client: openai.OpenAI, engine: LanguageEngine) -> None:
    whole = client.responses.create(
        model="chat", input="Tell me a long story.", instructions="Be kind.", max_output_tokens=6, temperature=0
    )
    assert (whole.model, whole.status) == ("chat", "incomplete")
    assert whole.output_text
    assert whole.output_text.startswith(engine.begins)
    assert whole.usage is not None
    assert whole.usage.output_tokens == 6
    turns: Any = [{"role": "user", "content": "hi"}]
    with client.responses.stream(model="chat", input=turns, temperature=0) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == said
    with pytest.raises(openai.BadRequestError) as kept:
        client.responses.create(model="chat", input="hi", store=True)
    assert kept.value.param == "store"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")


@pytest.mark.simulated_alone("SmolLM2 hears nothing")
def test_a_sound_becomes_a_text(client: openai.OpenAI) -> None:
    sound = ("a.wav", io.BytesIO(b"x" * 100_000))
    assert client.audio.transcriptions.create(model="chat", file=sound).text.startswith("This is")
    plain = client.audio.transcriptions.create(model="chat", file=("a.wav", b"x" * 1000), response_format="text")
    assert str(plain).startswith("This is")


@pytest.mark.simulated_alone("SmolLM2 paints nothing")
def test_a_picture_is_painted(client: openai.OpenAI) -> None:
    (painted,) = client.images.generate(model="chat", prompt="a dot").data or ()
    assert base64.b64decode(painted.b64_json or "").startswith(b"\x89PNG")


def test_the_async_client_asks_many_at_once_and_streams(url: str) -> None:
    async def asked() -> None:
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key=KEY.text, max_retries=0) as client:
            answers = await asyncio.gather(
                *(client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=4) for _ in range(20))
            )
            assert all(one.choices[0].message.content for one in answers)
            stream = await client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=4, stream=True)
            assert "".join([one.choices[0].delta.content or "" async for one in stream])

    asyncio.run(asked())


def test_a_request_over_a_limit_is_repeated_when_the_gateway_says(url: str) -> None:
    with openai.OpenAI(base_url=url + "/v1", api_key=LIMITED.text, max_retries=3) as client:
        for _ in range(2):
            raw = client.chat.completions.with_raw_response.create(model="chat", messages=MESSAGES, max_tokens=2)
            assert raw.headers["x-ratelimit-limit-requests"] == "1"
    with (
        openai.OpenAI(base_url=url + "/v1", api_key=LIMITED.text, max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as refused,
    ):
        ask_twice(client)
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["retry-after-ms"]) <= 1000


def ask_twice(client: openai.OpenAI) -> None:
    for _ in range(2):
        client.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=2)


def test_a_picture_under_a_hard_budget_is_refused_by_its_place(url: str) -> None:
    messages: Any = [{"role": "user", "content": [IMAGE]}]
    with (
        openai.OpenAI(base_url=url + "/v1", api_key=POOR.text, max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="chat", messages=messages)
    assert refused.value.code == "unbounded_input"
    assert refused.value.param == "messages[0].content[0].image_url"


IMAGE: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def test_a_client_that_waits_no_longer_times_out(client: openai.OpenAI) -> None:
    impatient, endless = client.with_options(timeout=0.5), {"ignore_eos": True}
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="chat", messages=MESSAGES, max_tokens=1900, extra_body=endless)


@pytest.mark.simulated_alone("a vLLM does not fail when it is told to")
def test_an_engine_that_fails_is_an_error_with_our_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="chat", messages=MESSAGES, extra_body={"x_simulate": "error=500"})
    assert failed.value.code == "upstream_error"
    assert "simulated fault" not in str(failed.value)
