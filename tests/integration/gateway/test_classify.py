"""/v1/classify for models that speak tensors: known by their signature, answered in the shape of vLLM's."""

from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, scripted_engine

KEY = make_key()
TEXT = {"name": "text", "datatype": "BYTES", "shape": [-1, 1]}
LABEL = {"name": "label", "datatype": "BYTES", "shape": [-1]}
PROBABILITIES = {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}


def classifier(inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        if exchange.path == "/v2/models/inner":
            await exchange.send_json({"name": "inner", "versions": ["1"], "inputs": inputs, "outputs": outputs})
        elif exchange.path == "/v2/models/inner/config":
            await exchange.send_json({"max_batch_size": 3})
        elif exchange.path == "/v2/models/inner/infer":
            texts = orjson.loads(exchange.body)["inputs"][0]["data"]
            if "SECRET" in texts:
                await exchange.send_json({"error": "SECRET: in /opt/model.py"}, 500)
                return
            good = [0.75 if "good" in one else 0.25 for one in texts]
            made = [
                {"name": "label", "shape": [len(texts)], "data": ["good" if one > 0.5 else "bad" for one in good]},
                {
                    "name": "probabilities",
                    "shape": [len(texts), 2],
                    "data": [p for one in good for p in (1 - one, one)],
                },
            ]
            wanted = {one["name"] for one in orjson.loads(exchange.body)["outputs"]}
            await exchange.send_json({"outputs": [one for one in made if one["name"] in wanted]})

    return behave


async def classify(
    folder: Path, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], given: object
) -> tuple[int, Any, list[dict[str, Any]]]:
    async with scripted_engine(classifier(inputs, outputs)) as engine:
        found = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        async with (
            running_gateway(folder, make_snapshot([KEY]), model_deployment("m"), found) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.post(running.url + "/v1/classify", json={"model": "m", "input": given}) as answer,
        ):
            return answer.status, await answer.json(), running.rows()


async def test_a_text_gets_its_label_and_probabilities(tmp_path: Path) -> None:
    status, answer, rows = await classify(tmp_path, [TEXT], [LABEL, PROBABILITIES], ["good", "dull"])
    assert status == 200, answer
    assert answer["model"] == "m"
    assert answer["data"] == [
        {"index": 0, "label": "good", "probs": [0.25, 0.75], "num_classes": 2},
        {"index": 1, "label": "bad", "probs": [0.75, 0.25], "num_classes": 2},
    ]
    assert [one["operation"] for one in rows] == ["classify"]


async def test_a_model_without_labels_gives_probabilities_alone(tmp_path: Path) -> None:
    status, answer, _ = await classify(tmp_path, [{**TEXT, "shape": [-1]}], [PROBABILITIES], "good")
    assert status == 200, answer
    assert answer["data"] == [{"index": 0, "label": None, "probs": [0.25, 0.75], "num_classes": 2}]


@pytest.mark.parametrize(
    ("inputs", "outputs", "given", "status", "code"),
    [
        ([{**TEXT, "datatype": "FP32"}], [PROBABILITIES], "a", 404, "endpoint_not_available"),
        ([TEXT, {**TEXT, "name": "more"}], [PROBABILITIES], "a", 404, "endpoint_not_available"),
        ([TEXT], [LABEL], "a", 404, "endpoint_not_available"),
        ([TEXT], [PROBABILITIES], [1, 2, 3], 400, "invalid_parameter"),
        ([TEXT], [PROBABILITIES], ["a"] * 4, 400, "invalid_parameter"),
    ],
)
async def test_what_does_not_fit_is_refused_and_reserves_nothing(
    tmp_path: Path,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    given: object,
    status: int,
    code: str,
) -> None:
    found, answer, rows = await classify(tmp_path, inputs, outputs, given)
    assert (found, answer["error"]["code"], rows) == (status, code, [])


async def test_an_engines_words_stay_with_it(tmp_path: Path) -> None:
    status, answer, _ = await classify(tmp_path, [TEXT], [PROBABILITIES], "SECRET")
    assert (status, answer["error"]["code"]) == (502, "upstream_error")
    assert "SECRET" not in str(answer)


async def test_the_list_of_models_says_that_it_is_a_classifier(tmp_path: Path) -> None:
    async with scripted_engine(classifier([TEXT], [LABEL, PROBABILITIES])) as engine:
        found = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), model_deployment("m"), found) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
            session.get(running.url + "/v1/models") as answer,
        ):
            (one,) = (await answer.json())["data"]
    assert one["endpoints"] == ["/v1/classify", "/v2/models/{model}/infer"]
