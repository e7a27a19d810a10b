"""curl, as people paste it from documentation, against the gateway and an engine, simulated or real."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.curl import curl
from support.gateway import gateway_process, make_key, make_snapshot, model_deployment
from support.language_engines import LanguageEngine

KEY = make_key()
BEARER = ("-H", f"Authorization: Bearer {KEY.text}")


@pytest.fixture(scope="module")
def url(engine: LanguageEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    objects = [model_deployment("chat"), engine.endpoints("chat")]
    with gateway_process(tmp_path_factory.mktemp("gateway"), make_snapshot([KEY]), *objects) as found:
        yield found


def test_a_chat_with_its_content_type_or_without(url: str) -> None:
    ask = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4})
    for more in ((), ("-H", "Content-Type: application/json")):
        status, body = curl(url + "/v1/chat/completions", *BEARER, *more, "-d", ask)
        assert status == "200", body
        assert json.loads(body)["choices"][0]["message"]["content"]


def test_a_stream_comes_as_events(url: str) -> None:
    ask = json.dumps({"model": "chat", "input": "hi", "stream": True, "temperature": 0})
    status, body = curl("-N", url + "/v1/responses", *BEARER, "-d", ask)
    assert status == "200"
    assert "event: response.output_text.delta" in body
    assert json.loads(body.rstrip().splitlines()[-1].removeprefix("data: "))["type"] == "response.completed"


@pytest.mark.simulated_alone("SmolLM2 hears nothing")
def test_a_form_with_a_large_file(url: str, tmp_path: Path) -> None:
    sound = tmp_path / "speech.wav"
    sound.write_bytes(b"x" * (8 << 20))
    status, body = curl(url + "/v1/audio/transcriptions", *BEARER, "-F", "model=chat", "-F", f"file=@{sound}")
    assert status == "200", body
    assert json.loads(body)["usage"]["seconds"] == 525
    status, body = curl(url + "/v1/audio/transcriptions", *BEARER, "-F", f"file=@{sound}", "-F", "model=chat")
    assert status == "200", body
    assert json.loads(body)["usage"]["seconds"] == 525
    sound.write_bytes(b"x" * (26 << 20))
    status, body = curl(url + "/v1/audio/transcriptions", *BEARER, "-F", f"file=@{sound}", "-F", "model=chat")
    assert (status, json.loads(body)["error"]["param"]) == ("400", "model")
    assert "before a file that is larger than 25 MiB" in body


@pytest.mark.simulated_alone("SmolLM2 neither classifies nor ranks")
def test_labels_ranks_and_what_is_missing(url: str) -> None:
    status, body = curl(url + "/v1/classify", *BEARER, "-d", '{"model": "chat", "input": ["a", "b"]}')
    assert status == "200", body
    assert len(json.loads(body)["data"]) == 2
    status, body = curl(url + "/v1/rerank", *BEARER, "-d", '{"model": "chat", "query": "a", "documents": ["b", "c"]}')
    assert status == "200", body
    status, body = curl(url + "/v1/score", *BEARER, "-d", '{"model": "chat", "text_1": "a", "text_2": "b"}')
    assert (status, json.loads(body)["error"]["code"]) == ("404", "endpoint_not_available")


@pytest.mark.parametrize("name", ["chat", "default/chat", "default%2Fchat"])
def test_a_model_is_found_by_its_names(url: str, engine: LanguageEngine, name: str) -> None:
    status, body = curl(f"{url}/v1/models/{name}", *BEARER)
    assert status == "200", body
    assert engine.path in json.loads(body)["endpoints"]


def test_without_a_key_and_with_a_wrong_method(url: str) -> None:
    status, body = curl(url + "/v1/models")
    assert (status, json.loads(body)["error"]["code"]) == ("401", "invalid_api_key")
    status, body = curl(url + "/v1/chat/completions", *BEARER)
    assert (status, json.loads(body)["error"]["code"]) == ("405", "method_not_allowed")
