"""The package `openai`, unmodified, against the gateway and a simulated engine."""

from collections.abc import Iterator

import openai
import pytest
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.simulated_engine import simulated_engine

KEY = make_key()
NARROW = make_key(models=["other"])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    objects = [model_deployment("chat", aliases=["gpt-4o"]), model_deployment("other")]
    with simulated_engine("inner", "--decode-ms", "1") as address:
        endpoints = endpoint_set("chat", address, model_name="inner")
        folder = tmp_path_factory.mktemp("gateway")
        with gateway_process(folder, make_snapshot([KEY, NARROW]), *objects, endpoints) as found:
            yield found


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url + "/v1", api_key=KEY.text, max_retries=0) as found:
        yield found


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"chat", "gpt-4o", "other"}
    assert client.models.retrieve("chat").id == "chat"


@pytest.mark.parametrize("model", ["chat", "gpt-4o"])
def test_a_chat_answers_under_the_name_that_was_asked(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], max_tokens=5)
    assert answer.model == model
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 1 <= answer.usage.completion_tokens <= 5


def test_a_streamed_chat_ends_well_and_without_usage_unless_asked(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "hi"}]
    chunks = list(client.chat.completions.create(model="chat", messages=messages, max_tokens=8, stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in chunks)
    assert all(one.usage is None for one in chunks)
    options = {"include_usage": True}
    asked = list(
        client.chat.completions.create(
            model="chat", messages=messages, max_tokens=8, stream=True, stream_options=options
        )
    )
    assert asked[-1].choices == []
    assert asked[-1].usage is not None
    assert asked[-1].usage.completion_tokens >= 1


def test_completions_and_embeddings_answer(client: openai.OpenAI) -> None:
    assert client.completions.create(model="chat", prompt="once", max_tokens=4).choices[0].text
    found = client.embeddings.create(model="chat", input=["a", "b"])
    assert [one.index for one in found.data] == [0, 1]
    assert len(found.data[0].embedding) > 0


def test_refusals_become_the_exceptions_of_the_package(client: openai.OpenAI, url: str) -> None:
    messages = [{"role": "user", "content": "hi"}]
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="nobody", messages=messages)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="chat", messages=messages, max_tokens=0)
    assert wrong.value.param == "max_tokens"
    with openai.OpenAI(base_url=url + "/v1", api_key="mzk_wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.models.list()
        assert refused.value.code == "invalid_api_key"
    with (
        openai.OpenAI(base_url=url + "/v1", api_key=NARROW.text, max_retries=0) as narrow,
        pytest.raises(openai.PermissionDeniedError) as forbidden,
    ):
        narrow.chat.completions.create(model="chat", messages=messages)
    assert forbidden.value.code == "model_not_allowed"


def test_a_tool_call_passes_through(client: openai.OpenAI) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    answer = client.chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "hi"}], tools=tools, max_tokens=16
    )
    assert answer.choices[0].finish_reason in {"stop", "length", "tool_calls"}
