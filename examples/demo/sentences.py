"""Chinese reviews that the tour asks about, and the request that asks."""

import numpy as np
import orjson
import tritonclient.http as triton

POSITIVE = ("这本书非常好，内容精彩，强烈推荐！", "酒店很干净，服务态度很好，下次还会来。")
NEGATIVE = ("质量太差了，用了两天就坏了，非常失望。", "房间又小又脏，服务员态度恶劣。")
INPUT, LABEL, PROBABILITIES = "text", "label", "probabilities"


def ask(client: triton.InferenceServerClient, text: str, headers: dict[str, str]) -> tuple[str, float]:
    """The label of a text and its probability, by Triton's own client with binary tensors."""
    tensor = triton.InferInput(INPUT, [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()]], dtype=object))
    answer = client.infer("sentiment", [tensor], headers=headers)
    label = answer.as_numpy(LABEL).reshape(-1)[0]
    return label.decode() if isinstance(label, bytes) else str(label), float(answer.as_numpy(PROBABILITIES).max())


def request_body(text: str) -> bytes:
    """The same question as JSON."""
    return orjson.dumps({"inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [1, 1], "data": [text]}]})
