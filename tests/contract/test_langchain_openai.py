"""The package `langchain-openai`, unmodified, against the gateway and an engine, simulated or real.

It is imported where it is used: it takes seconds, which each worker that collects the tests would pay.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel
from support.gateway import gateway_process, make_key, make_snapshot, model_deployment
from support.language_engines import LanguageEngine

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langchain_openai import ChatOpenAI

KEY = make_key()


@pytest.fixture(scope="module")
def url(engine: LanguageEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    objects = [made for name in ("chat", "embedder") for made in (model_deployment(name), engine.endpoints(name))]
    with gateway_process(tmp_path_factory.mktemp("gateway"), make_snapshot([KEY]), *objects) as found:
        yield found + "/v1"


def test_a_chat_model_answers_and_tells_its_tokens(url: str) -> None:
    model = chat(url, max_tokens=6)
    answer = model.invoke("hi")
    assert answer.content
    assert answer.usage_metadata is not None
    assert 1 <= answer.usage_metadata["output_tokens"] <= 6


def test_a_chat_model_streams(url: str) -> None:
    model = chat(url, max_tokens=6)
    assert "".join(str(piece.content) for piece in model.stream("hi"))


def test_embeddings_answer(url: str) -> None:
    from langchain_openai import OpenAIEmbeddings

    # Without this setting the package fetches tokenizer files from the network.
    embeddings = OpenAIEmbeddings(model="embedder", base_url=url, api_key=KEY.text, check_embedding_ctx_length=False)
    one, two = embeddings.embed_documents(["a", "b"])
    assert len(one) == len(two) > 0


def chat(url: str, model: str = "chat", max_tokens: int = 250, **more: Any) -> "ChatOpenAI":
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=model, base_url=url, api_key=KEY.text, max_retries=0, max_tokens=max_tokens, temperature=0, **more
    )


def weather(place: Literal["Bern", "Oslo"], days: Literal[1, 2]) -> str:
    """The weather at a place."""
    return f"{place}: {days} days of sun"


@pytest.fixture(scope="module")
def tool() -> "BaseTool":
    from langchain_core.tools import tool as made

    return made(weather)


def test_a_tool_is_called_and_its_answer_taken(url: str, tool: "BaseTool") -> None:
    asked = chat(url).bind_tools([tool], tool_choice="required", strict=True).invoke("how is the weather?")
    (called,) = asked.tool_calls
    assert called["name"] == "weather"
    answer = tool.invoke(called)
    able = chat(url, max_tokens=8).bind_tools([tool], tool_choice="none")
    assert able.invoke([("user", "how is the weather?"), asked, answer]).content


def test_a_model_that_may_call_a_tool_calls_it_or_answers(url: str, tool: "BaseTool") -> None:
    from langchain_core.messages import AIMessage

    said = chat(url, max_tokens=60).bind_tools([tool]).invoke("how is the weather?")
    assert isinstance(said, AIMessage)
    assert said.tool_calls or said.invalid_tool_calls or said.content
    assert said.response_metadata["finish_reason"] in {"tool_calls", "stop", "length"}


class Forecast(BaseModel):
    """A forecast."""

    place: Literal["Bern", "Oslo"]
    days: Literal[1, 2]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_is_parsed(url: str, method: str) -> None:
    able = chat(url).with_structured_output(Forecast, method=method, strict=True)
    assert isinstance(able.invoke("hi"), Forecast)


def chain_of(url: str, *messages: tuple[str, str]) -> Any:
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    return ChatPromptTemplate.from_messages(messages) | chat(url, max_tokens=8) | StrOutputParser()


def test_a_chain_answers_streams_and_runs_in_batches(url: str) -> None:
    chain = chain_of(url, ("system", "be short"), ("user", "{text}"))
    assert chain.invoke({"text": "hi"})
    assert "".join(chain.stream({"text": "hi"}))
    assert all(chain.batch([{"text": str(number)} for number in range(5)]))


async def test_a_chain_runs_async(url: str) -> None:
    chain = chain_of(url, ("user", "{text}"))
    assert await chain.ainvoke({"text": "hi"})
    assert "".join([piece async for piece in chain.astream({"text": "hi"})])


def test_another_model_answers_where_the_first_is_not_there(url: str) -> None:
    both = chat(url, "nobody").with_fallbacks([chat(url, max_tokens=8)])
    assert both.invoke("hi").response_metadata["model_name"] == "chat"


def test_the_api_of_responses_answers_and_streams(url: str) -> None:
    model = chat(url, use_responses_api=True, max_tokens=6)
    answer = model.invoke("hi")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 6
    assert "".join(str(piece.text) for piece in model.stream("hi"))
