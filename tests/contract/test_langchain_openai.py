"""The package `langchain-openai`, unmodified, against the gateway and a simulated engine."""

from collections.abc import Iterator

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.simulated_engine import simulated_engine

KEY = make_key()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulated_engine("chat", "--decode-ms", "1") as address:
        objects = [model_deployment("chat"), endpoint_set("chat", address)]
        with gateway_process(tmp_path_factory.mktemp("gateway"), make_snapshot([KEY]), *objects) as found:
            yield found + "/v1"


def test_a_chat_model_answers_and_tells_its_tokens(url: str) -> None:
    model = ChatOpenAI(model="chat", base_url=url, api_key=KEY.text, max_tokens=6, max_retries=0)
    answer = model.invoke("hi")
    assert answer.content
    assert answer.usage_metadata is not None
    assert 1 <= answer.usage_metadata["output_tokens"] <= 6


def test_a_chat_model_streams(url: str) -> None:
    model = ChatOpenAI(model="chat", base_url=url, api_key=KEY.text, max_tokens=6, max_retries=0)
    assert "".join(str(piece.content) for piece in model.stream("hi"))


def test_embeddings_answer(url: str) -> None:
    # Without this setting the package fetches tokenizer files from the network.
    embeddings = OpenAIEmbeddings(model="chat", base_url=url, api_key=KEY.text, check_embedding_ctx_length=False)
    one, two = embeddings.embed_documents(["a", "b"])
    assert len(one) == len(two) > 0
