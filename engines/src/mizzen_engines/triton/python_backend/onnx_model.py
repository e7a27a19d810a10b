"""How does Triton's Python backend run an ONNX model? One run of onnxruntime for each batch of requests.

The layout step copies this file into the model repository as model.py. It runs inside Triton's stub, in the engine's
environment, and imports nothing of Mizzen.
"""

import json
import os
from pathlib import Path
from typing import Any

# Read while onnxruntime is imported: without it, an identifier of the device is written below HOME and used.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]  # exists inside Triton alone
from onnxruntime.capi.onnxruntime_pybind11_state import (  # type: ignore[import-untyped]  # as above
    InvalidArgument,
)


class InvalidInputError(ValueError):
    """What the caller sent cannot be an input of the model."""


class TritonPythonModel:
    """What the Python backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model beside this file."""
        onnxruntime.disable_telemetry_events()
        parameters = json.loads(args["model_config"])["parameters"]
        self._batched = parameters["batched"]["string_value"] == "1"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"]["string_value"])
        options.inter_op_num_threads = 1
        # Idle threads would spin on cores that other models need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = Path(__file__).with_name("model.onnx")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._ranks = {value.name: len(value.shape) for value in self._session.get_inputs()}
        self._output_names = [value.name for value in self._session.get_outputs()]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request; a bad one fails alone."""
        if self._batched and len(requests) > 1:
            answers = self._run_together(requests)
            if answers is not None:
                return answers
        return [self._run_alone(request) for request in requests]

    def _run_together(self, requests: list[Any]) -> list[Any] | None:
        try:
            feeds = [self._feed(request) for request in requests]
            rows = [next(iter(feed.values())).shape[0] for feed in feeds]
            joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in self._ranks}
            outputs = self._session.run(None, joined)
        except Exception:  # noqa: BLE001  # whatever it was, each request gets its own try and its own error
            return None
        edges = np.cumsum(rows)[:-1]
        parts = [np.split(output, edges) for output in outputs]
        return [self._answer(request, [part[i] for part in parts]) for i, request in enumerate(requests)]

    def _run_alone(self, request: Any) -> Any:
        try:
            return self._answer(request, self._session.run(None, self._feed(request)))
        except (InvalidInputError, InvalidArgument) as error:
            return _failed(error, pb_utils.TritonError.INVALID_ARG)  # HTTP 400: another replica would say the same
        except Exception as error:  # noqa: BLE001  # the outermost guard of one request: the server lives on
            return _failed(error, pb_utils.TritonError.INTERNAL)

    def _feed(self, request: Any) -> dict[str, Any]:
        feed = {}
        for name, rank in self._ranks.items():
            array = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            if array.dtype.kind in "OS":
                array = _decoded(name, array)
            # Triton shows a size of 1 where the model declares no further dimension.
            feed[name] = array.reshape(array.shape[:rank]) if array.ndim > rank else array
        return feed

    def _answer(self, request: Any, outputs: list[Any]) -> Any:
        wanted = set(request.requested_output_names())
        tensors = []
        for name, output in zip(self._output_names, outputs, strict=True):
            if name not in wanted:
                continue
            array = np.asarray(output)
            if array.dtype.kind in "OU":
                flat = [str(text).encode() for text in array.ravel()]
                array = np.array(flat, dtype=np.object_).reshape(array.shape)
            if array.ndim == (1 if self._batched else 0):
                array = array.reshape((*array.shape, 1))
            tensors.append(pb_utils.Tensor(name, array))
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _failed(error: Exception, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))


def _decoded(name: str, array: Any) -> Any:
    try:
        flat = [text.decode() if isinstance(text, bytes) else text for text in array.ravel()]
    except UnicodeDecodeError as error:
        message = f"input {name!r} is not UTF-8: {error.reason} at byte {error.start}; encode it as UTF-8"
        raise InvalidInputError(message) from error
    return np.array(flat, dtype=np.object_).reshape(array.shape)
