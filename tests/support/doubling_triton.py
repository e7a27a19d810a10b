"""A real Triton that serves one model behind a gateway process: it doubles numbers and writes texts in capitals."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.free_ports import free_port
from support.gateway import Key, endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.triton import PORTS, running_triton

MODEL = """
import numpy as np
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            text = pb.get_input_tensor_by_name(request, "text").as_numpy()
            if (x == 13).any():
                raise RuntimeError("SECRET of the engine")
            upper = np.array([[one.decode().upper().encode()] for one in text[:, 0]], dtype=object)
            answers.append(pb.InferenceResponse([pb.Tensor("y", x * 2), pb.Tensor("upper", upper)]))
        return answers
"""
CONFIG = """
backend: "python"
max_batch_size: 4
input [{ name: "x" data_type: TYPE_FP32 dims: [2] }, { name: "text" data_type: TYPE_STRING dims: [1] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [2] }, { name: "upper" data_type: TYPE_STRING dims: [1] }]
"""


@dataclass(frozen=True)
class Served:
    """Where callers go, without a scheme, and with which key."""

    http: str
    grpc: str
    key: Key


@contextmanager
def doubling_triton(folder: Path) -> Iterator[Served]:
    """The model is called `double`, `inner` (which the engine calls it) and, by another project, `default/double`."""
    version = folder / "repository" / "inner" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    key, port = make_key(), free_port()
    with running_triton(folder / "repository", folder / "triton.log") as engine:
        address = (engine.address, PORTS["http"])
        endpoints = endpoint_set("double", address, protocol="OpenInference", engine="Triton", model_name="inner")
        objects = [model_deployment("double", aliases=["inner"]), endpoints]
        snapshot = make_snapshot([key])
        with gateway_process(folder / "gateway", snapshot, *objects, MIZZEN_GRPC_PORT=str(port)) as found:
            yield Served(found.removeprefix("http://"), f"127.0.0.1:{port}", key)
