"""What fuzzing calls for what engines answer and tell of themselves; see `fuzz_targets`.

The first line of an answer is the header that says where its JSON ends.
"""

from collections.abc import Iterator
from math import isfinite

from mizzen_gateway.load.company import spent_on_requests
from mizzen_gateway.load.gauges import GAUGES, sum_of
from mizzen_gateway.protocols.call import Answer
from mizzen_gateway.protocols.classify.answer import ClassifyAnswer
from mizzen_gateway.protocols.classify.signature import Signature, signature_of
from mizzen_gateway.protocols.open_inference.answer import InferAnswer
from mizzen_gateway.protocols.open_inference.grpc.call import GrpcAnswer
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.open_inference.metadata import document_in, understand
from mizzen_gateway.protocols.openai.answer import WholeAnswer
from mizzen_gateway.stages import Refusal

SIGNATURE = Signature("x", 1, "probabilities", "label", 0)


def answers(data: bytes) -> None:
    """Whatever an engine answers well is passed on, or refused as its own failure: nothing of it is our error."""
    length, _, body = data.partition(b"\n")
    headers = {b"content-type": b"application/json"}
    if length:
        headers[b"inference-header-content-length"] = length
    for responder, answer in _all():
        answer.on_head(200, headers)
        answer.on_body(body)
        result = answer.complete()
        if isinstance(answer, WholeAnswer | ClassifyAnswer) and not isinstance(result, Refusal):
            assert not responder.started  # its row comes before
            answer.send()
        assert responder.done == (not isinstance(result, Refusal))
        if isinstance(result, Refusal):
            assert result.status in {400, 502}, result
        else:
            assert min(result.input_tokens, result.output_tokens, result.cached_tokens, result.reasoning_tokens) >= 0


def told(data: bytes) -> None:
    """Whatever an engine tells of itself is understood or passed over."""
    first, _, second = data.partition(b"\n")
    loads = sum_of(data, GAUGES["vLLM"])
    assert isfinite(loads)
    assert loads >= 0
    spent = spent_on_requests(data)
    assert spent is None or all(isfinite(one) for one in spent)
    documents = [document_in(one) for one in (first, second)]
    if documents[0] is not None:
        understood = understand(documents[0], documents[1] or {})
        if understood is not None:
            signature_of(understood)


def _all() -> Iterator[tuple[HeldResponder, Answer]]:
    responder = HeldResponder()
    yield responder, InferAnswer(responder, (), "public", "inner")
    responder = HeldResponder()
    yield responder, GrpcAnswer(responder, (), "public", None, final=True)
    responder = HeldResponder()
    yield responder, WholeAnswer(responder, (), "public", "inner", 10)
    responder = HeldResponder()
    yield responder, ClassifyAnswer(responder, (), "public", SIGNATURE, 1)


def told_seeds() -> Iterator[bytes]:
    """Good ones."""
    yield b'# TYPE x gauge\nvllm:num_requests_running{model_name="m"} 3.0\nvllm:num_requests_waiting{a="b c"} 1\n'
    spent = b'{"success":{"count":3,"ns":12},"fail":{"count":"1","ns":"2"}}'
    yield b'{"model_stats":[{"name":"m","inference_stats":' + spent + b"}]}"
    given = b'[{"name":"x","datatype":"BYTES","shape":[-1,1]}]'
    made = b'[{"name":"y","datatype":"FP32","shape":[2]}]'
    policy = b'"model_transaction_policy":{"decoupled":true}'
    yield (
        b'{"versions":["1"],"inputs":'
        + given
        + b',"outputs":'
        + made
        + b"}\n"
        + b'{"max_batch_size":4,'
        + policy
        + b"}"
    )
    yield b'{"inputs":' + given + b'}\n{"input":[{"name":"x","optional":true}]}'


def answer_seeds() -> Iterator[bytes]:
    """Good ones."""
    told = b'{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}'
    yield b'\n{"model":"inner","usage":' + told + b"}"
    number = b'{"name":"y","datatype":"FP32","shape":[1,2],"data":[1,2]}'
    text = b'{"name":"z","datatype":"BYTES","shape":[1],"data":["a"]}'
    outputs = b"[" + number + b"," + text + b"]"
    yield b'\n{"model_name":"inner","id":"a","parameters":{"p":1.5,"q":true},"outputs":' + outputs + b"}"
    labels = b'{"name":"label","datatype":"BYTES","shape":[1],"data":["good"]}'
    shares = b'{"name":"probabilities","datatype":"FP32","shape":[1,2],"data":[0.9,0.1]}'
    yield b'\n{"outputs":[' + labels + b"," + shares + b"]}"
    binary = b'{"outputs":[{"name":"y","datatype":"INT8","shape":[2],"parameters":{"binary_data_size":2}}]}'
    yield b"%d\n%b\x01\x02" % (len(binary), binary)
