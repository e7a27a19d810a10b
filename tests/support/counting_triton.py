"""A real Triton with one model that answers a request as often as it is asked to (decoupled): `inner`.

Its input `ask` is how many answers, which of them fails (-1: none), milliseconds after each, and numbers in each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from support.triton import RunningTriton, running_triton
from tritonclient.grpc import service_pb2 as pb

MODEL = """
import os
import time
import numpy as np
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            count, fails, pause, size = pb.get_input_tensor_by_name(request, "ask").as_numpy()
            for number in range(count):
                if sender.is_cancelled():
                    open(os.path.join(os.path.dirname(__file__), "..", "..", "..", "cancelled"), "a").write("x")
                    break
                if number == fails:
                    sender.send(pb.InferenceResponse(error=pb.TritonError("SECRET of the engine")))
                else:
                    n = pb.Tensor("n", np.full([size], number, dtype=np.int32))
                    sender.send(pb.InferenceResponse([n]))
                time.sleep(pause / 1000)
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
"""
CONFIG = """
backend: "python"
max_batch_size: 0
input [{ name: "ask" data_type: TYPE_INT32 dims: [4] }]
output [{ name: "n" data_type: TYPE_INT32 dims: [-1] }]
model_transaction_policy { decoupled: true }
instance_group [{ kind: KIND_CPU count: 2 }]
"""


@contextmanager
def counting_triton(folder: Path) -> Iterator[RunningTriton]:
    """Where a request is cancelled the model writes a letter into the file `cancelled` of the folder."""
    version = folder / "repository" / "inner" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    with running_triton(folder / "repository", folder / "triton.log") as engine:
        yield engine


def ask(count: int, fails: int = -1, pause_ms: int = 0, size: int = 1, **more: Any) -> bytes:
    """A ModelInferRequest of model `m`; `more` are its id, version and (bool) parameters."""
    named = {"model_name": more.pop("model", "m"), "id": more.pop("id", ""), "model_version": more.pop("version", "")}
    made = pb.ModelInferRequest(**named)
    made.inputs.add(name="ask", datatype="INT32", shape=[4])
    made.raw_input_contents.append(np.array([count, fails, pause_ms, size], dtype=np.int32).tobytes())
    for name, value in more.items():
        made.parameters[name].bool_param = value
    raw: bytes = made.SerializeToString()
    return raw


def number_in(answer: Any) -> int:
    """Which answer of its request a ModelStreamInferResponse is."""
    return int(np.frombuffer(answer.infer_response.raw_output_contents[0], dtype=np.int32)[0])
