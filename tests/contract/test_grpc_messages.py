"""Messages of gRPC against the classes that the protocol's own definition makes: what they say, we read and write."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_gateway.protocols.open_inference.call import STRIPPED
from mizzen_gateway.protocols.open_inference.grpc.call import GrpcInferCall, parse
from mizzen_gateway.protocols.open_inference.grpc.engine_messages import (
    infer_request,
    read_stream_response,
    stream_message,
)
from mizzen_gateway.protocols.open_inference.grpc.fields import MalformedMessageError, fields
from mizzen_gateway.protocols.open_inference.grpc.request import read_infer, read_name
from mizzen_gateway.protocols.open_inference.grpc.response import (
    UnfitResponseError,
    infer_response,
    model_metadata,
    server_metadata,
    stream_error,
    stream_response,
    truth,
)
from mizzen_gateway.stages import Refusal
from tritonclient.grpc import service_pb2 as pb


def request(**fields_: Any) -> Any:
    made = pb.ModelInferRequest(model_name="m", **fields_)
    made.inputs.add(name="x", datatype="FP32", shape=[2, -1 & 0x7FFFFFFF])
    return made


def test_a_request_with_raw_tensors_becomes_a_document_and_its_bytes() -> None:
    made = pb.ModelInferRequest(model_name="p/m", model_version="3", id="one")
    made.inputs.add(name="x", datatype="FP32", shape=[2, 1])
    made.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
    made.outputs.add(name="y").parameters["classification"].int64_param = 2
    made.parameters["sequence_id"].int64_param = -7
    made.parameters["label"].string_param = "é"
    made.parameters["share"].double_param = 0.5
    made.parameters["start"].bool_param = False
    made.parameters["many"].uint64_param = 2**63 + 1
    made.raw_input_contents.extend([b"12345678", b"\x01\x00\x00\x00a"])
    found = read_infer(memoryview(made.SerializeToString()))
    assert (found.model, found.version, found.binary) == ("p/m", "3", b"12345678\x01\x00\x00\x00a")
    assert found.document == {
        "id": "one",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [2, 1], "parameters": {"binary_data_size": 8}},
            {"name": "text", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": 5}},
        ],
        "outputs": [{"name": "y", "parameters": {"classification": 2, "binary_data": True}}],
        "parameters": {"sequence_id": -7, "label": "é", "share": 0.5, "start": False, "many": 2**63 + 1},
    }


def test_an_engine_is_asked_what_the_caller_asked_but_for_what_is_not_the_callers_to_set() -> None:
    made = pb.ModelInferRequest(model_name="p/m", model_version="3", id="one")
    made.inputs.add(name="x", datatype="FP32", shape=[2, 1]).parameters["hint"].string_param = "é"
    made.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
    made.outputs.add(name="y").parameters["classification"].int64_param = 2
    made.parameters["sequence_id"].uint64_param = 2**63 + 1
    made.parameters["negative"].int64_param = -7
    made.parameters["share"].double_param = 0.5
    made.parameters["triton_enable_empty_final_response"].bool_param = True
    made.raw_input_contents.extend([b"12345678", b"\x01\x00\x00\x00a"])
    wanted = pb.ModelInferRequest.FromString(made.SerializeToString())
    wanted.model_name = "inner"
    made.parameters["priority"].uint64_param = 1
    made.parameters["timeout"].int64_param = 1
    found = read_infer(memoryview(made.SerializeToString()))
    asked = infer_request("inner", found.version, found.document, memoryview(found.binary), STRIPPED)
    assert pb.ModelInferRequest.FromString(asked) == wanted


def test_an_engines_message_is_the_callers_with_the_callers_name_of_the_model() -> None:
    made = pb.ModelInferResponse(model_name="inner", model_version="1", id="one", raw_output_contents=[b"12345678"])
    made.outputs.add(name="y", datatype="FP32", shape=[2, 1])
    made.parameters["triton_final_response"].bool_param = False
    read = read_stream_response(pb.ModelStreamInferResponse(infer_response=made).SerializeToString())
    made.model_name = "p/m"
    assert pb.ModelStreamInferResponse.FromString(stream_message(read.renamed("p/m"))).infer_response == made
    failed = pb.ModelStreamInferResponse(error_message="why", infer_response=pb.ModelInferResponse(id="one"))
    read = read_stream_response(failed.SerializeToString())
    told = pb.ModelStreamInferResponse.FromString(stream_message(read.renamed("m"), "words"))
    assert (read.failed, told.error_message, told.infer_response.id) == ("why", "words", "one")


@pytest.mark.parametrize(
    ("datatype", "field", "values", "raw"),
    [
        ("FP32", "fp32_contents", [1.5, -2.0], b"\x00\x00\xc0\x3f\x00\x00\x00\xc0"),
        ("FP64", "fp64_contents", [1.5], b"\x00\x00\x00\x00\x00\x00\xf8\x3f"),
        ("INT8", "int_contents", [-1, 5], b"\xff\x05"),
        ("INT16", "int_contents", [-2], b"\xfe\xff"),
        ("INT32", "int_contents", [-2], b"\xfe\xff\xff\xff"),
        ("INT64", "int64_contents", [-2], b"\xfe" + b"\xff" * 7),
        ("UINT8", "uint_contents", [255], b"\xff"),
        ("UINT64", "uint64_contents", [2**64 - 1], b"\xff" * 8),
        ("BOOL", "bool_contents", [True, False], b"\x01\x00"),
        ("BYTES", "bytes_contents", [b"ab", b""], b"\x02\x00\x00\x00ab\x00\x00\x00\x00"),
    ],
)
def test_typed_contents_become_the_bytes_of_a_tensor(datatype: str, field: str, values: list[Any], raw: bytes) -> None:
    made = pb.ModelInferRequest(model_name="m")
    tensor = made.inputs.add(name="x", datatype=datatype, shape=[len(values)])
    getattr(tensor.contents, field).extend(values)
    found = read_infer(memoryview(made.SerializeToString()))
    assert found.binary == raw
    assert found.document["inputs"][0]["parameters"] == {"binary_data_size": len(raw)}
    assert found.document["parameters"] == {"binary_data_output": True}


def test_whole_numbers_beyond_their_datatype_are_refused() -> None:
    made = pb.ModelInferRequest(model_name="m")
    made.inputs.add(name="x", datatype="INT8", shape=[1]).contents.int_contents.append(300)
    assert isinstance(parse(made.SerializeToString(), GrpcInferCall), Refusal)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"", 400),
        (b"\x0a", 400),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 400),
        (b"\x08\x01", 400),
        (b"\x0b", 400),
        (b"\x0a\x02\xff\xfe", 400),
        (pb.ModelInferRequest(model_name="m").SerializeToString(), 400),
        (pb.ModelInferRequest(model_name="m", model_version="x").SerializeToString(), 404),
        (pb.ModelInferRequest(model_name="m", raw_input_contents=[b"1"]).SerializeToString(), 400),
    ],
)
def test_what_is_no_request_is_refused(message: bytes, status: int) -> None:
    refusal = parse(message, GrpcInferCall)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status


def test_shared_memory_is_refused_in_a_message_too() -> None:
    made = pb.ModelInferRequest(model_name="m")
    made.inputs.add(name="x", datatype="FP32", shape=[1]).parameters["shared_memory_region"].string_param = "r"
    refusal = parse(made.SerializeToString(), GrpcInferCall)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 403


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    assert isinstance(parse(message, GrpcInferCall), Refusal | GrpcInferCall)
    try:
        read_name(memoryview(message))
        list(fields(memoryview(message)))
    except MalformedMessageError:
        pass


def test_changed_messages_are_read_or_refused() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    good = request(raw_input_contents=[b"12345678"]).SerializeToString()
    for _ in range(2000):
        bad = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        assert isinstance(parse(bytes(bad), GrpcInferCall), Refusal | GrpcInferCall)


def test_a_response_is_what_the_protocols_classes_read() -> None:
    header = {
        "model_name": "inner", "model_version": "2", "id": "one", "parameters": {"sequence_id": 3, "done": True},
        "outputs": [
            {"name": "y", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8, "note": "x"}},
            {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "é"]},
            {"name": "n", "datatype": "INT64", "shape": [1], "data": [-1]},
        ],
    }  # fmt: skip
    made = infer_response(orjson.dumps(header), memoryview(b"12345678"), "public", final=True)
    found = pb.ModelInferResponse.FromString(made)
    assert (found.model_name, found.model_version, found.id) == ("public", "2", "one")
    assert [(one.name, one.datatype, list(one.shape)) for one in found.outputs] == [
        ("y", "FP32", [1, 2]), ("text", "BYTES", [2]), ("n", "INT64", [1]),
    ]  # fmt: skip
    raw = [b"12345678", b"\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9", b"\xff" * 8]
    assert list(found.raw_output_contents) == raw
    assert found.parameters["sequence_id"].int64_param == 3
    assert found.parameters["done"].bool_param is True
    assert found.parameters["triton_final_response"].bool_param is True
    assert found.outputs[0].parameters["note"].string_param == "x"
    assert pb.ModelStreamInferResponse.FromString(stream_response(made)).infer_response == found
    error = pb.ModelStreamInferResponse.FromString(stream_error("no", "one"))
    assert (error.error_message, error.infer_response.id) == ("no", "one")


@pytest.mark.parametrize("header", [b"", b"{}", b"[]", b'{"outputs":[{}]}', b'{"outputs":[{"name":1}]}'])
def test_a_response_that_is_none_is_told_apart(header: bytes) -> None:
    with pytest.raises(UnfitResponseError):
        infer_response(header, memoryview(b""), "m")


def test_metadata_and_truths_are_what_the_protocols_classes_read() -> None:
    document = {
        "name": "m", "versions": ["1", "2"], "platform": "onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "y", "datatype": "BYTES", "shape": [-1]}],
    }  # fmt: skip
    found = pb.ModelMetadataResponse.FromString(model_metadata(document))
    assert (found.name, list(found.versions), found.platform) == ("m", ["1", "2"], "onnx")
    assert list(found.inputs[0].shape) == [-1, 2]
    assert found.outputs[0].datatype == "BYTES"
    server = server_metadata({"name": "mizzen", "version": "1", "extensions": ["a", "b"]})
    assert list(pb.ServerMetadataResponse.FromString(server).extensions) == ["a", "b"]
    assert pb.ServerLiveResponse.FromString(truth(True)).live is True
    assert pb.ModelReadyResponse.FromString(truth(False)).ready is False
