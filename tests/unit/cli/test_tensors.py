"""Values of a command line become tensors of the model's signature, or a sentence that says why not."""

from pathlib import Path
from typing import Any

import pytest
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.tensors import data_text, request_body

TEXT = {"name": "text", "datatype": "BYTES", "shape": [-1, 1]}
IMAGE = {"name": "image", "datatype": "FP32", "shape": [-1, 4]}


def tensor(spec: dict[str, Any], value: str) -> tuple[list[int], Any]:
    """Shape and data that a value becomes."""
    (made,) = request_body({"inputs": [spec]}, [f"{spec['name']}={value}"])["inputs"]
    assert made["datatype"] == spec["datatype"]
    return made["shape"], made["data"]


@pytest.mark.parametrize(
    ("spec", "value", "shape", "data"),
    [
        (TEXT, "这本书非常好", [1, 1], [["这本书非常好"]]),
        (TEXT, "5", [1, 1], [["5"]]),
        (TEXT, "true", [1, 1], [["true"]]),
        (TEXT, '{"a": 1}', [1, 1], [['{"a": 1}']]),
        (TEXT, '"quoted"', [1, 1], [["quoted"]]),
        (TEXT, "a=b", [1, 1], [["a=b"]]),
        (TEXT, '["a", "b"]', [2, 1], [["a"], ["b"]]),
        (TEXT, '[["a"], ["b"]]', [2, 1], [["a"], ["b"]]),
        (IMAGE, "[1, 2.5, 3, 4]", [1, 4], [[1, 2.5, 3, 4]]),
        (IMAGE, "[[1, 2, 3, 4], [5, 6, 7, 8]]", [2, 4], [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ],
)
def test_one_item_is_a_batch_of_one_and_a_list_is_a_batch(
    spec: dict[str, Any], value: str, shape: list[int], data: Any
) -> None:
    assert tensor(spec, value) == (shape, data)


def test_several_inputs_are_given_each_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "image.json").write_text("[0, 0, 1, 1]")
    body = request_body({"inputs": [TEXT, IMAGE]}, [f"image=@{tmp_path}/image.json", "text=hello"])
    assert [(each["name"], each["shape"]) for each in body["inputs"]] == [("image", [1, 4]), ("text", [1, 1])]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["text"], "write NAME=VALUE"),
        (["words=a"], "the model has no such input; it has text, image"),
        (["text=a"], "Missing input image: add --input image=VALUE"),
        (["text=a", "text=b"], "it is given twice; give a list"),
        (["text=a", "image=[1, 2]"], r"its shape is \[1, 2\]; the model takes \[-1, 4\]"),
        (["text=a", "image=[[1, 2, 3, 4], [1]]"], "its lists differ in length"),
        (["text=a", "image=abc"], r"no JSON value such as \[\[1.0, 2.0\]\]: .* at character 1, near 'abc'"),
        (["text=a", "image=[[1, 2, NaN, 4]]"], "NaN at character 9 cannot be written in JSON"),
        (["text=a", "image=[1, -Infinity, 3, 4]"], "-Infinity at character 5 cannot be written in JSON"),
        (["text=a", "image=[[1, 2,, 4]]"], r"at character 8, near"),
        (["text=a", 'image=[1, 2, 3, "4"]'], "'4' is no FP32"),
        (["text=a", "image=[1, 2, 3, true]"], "True is no FP32"),
        (["text=[1]", "image=[1, 2, 3, 4]"], "1 is no BYTES"),
        (["text=@/nowhere", "image=[1, 2, 3, 4]"], "/nowhere: No such file"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_inputs_name(given: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        request_body({"inputs": [TEXT, IMAGE]}, given)
    assert refused.value.code is ExitCode.USAGE


def test_an_integer_input_takes_no_fraction() -> None:
    with pytest.raises(CommandError, match=r"1\.5 is no INT64"):
        tensor({"name": "n", "datatype": "INT64", "shape": [1]}, "[1.5]")


def test_an_output_shows_the_items_of_a_batch_apart_and_its_numbers_rounded() -> None:
    assert data_text({"shape": [2, 2], "data": [0.453828, 0.5461717, 0.8, 0.2]}) == "0.4538, 0.5462; 0.8, 0.2"
    assert data_text({"shape": [1, 1], "data": ["positive"]}) == "positive"
    assert data_text({"shape": [3], "data": [1, 2, 3]}) == "1, 2, 3"
    assert data_text({"shape": [0, 2], "data": []}) == ""
