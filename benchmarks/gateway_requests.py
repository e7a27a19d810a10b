"""Which bytes are sent, and which are expected? Requests as clients of OpenAI and Triton send them."""

import json

CHAT = {
    "messages": [
        {
            "role": "system",
            "content": "You are a helpful assistant that answers in short sentences and never makes anything up.",
        },
        {
            "role": "user",
            "content": "What does a gateway in front of inference engines do with a request, from its first byte to "
            "its last? Name each step in the order in which it happens, and say what is written down about it.",
        },
    ],
    "max_tokens": 64,
    "temperature": 0.7,
}
"""411 bytes; the engine answers with 520."""


def request(path: str, body: bytes, key: str, **headers: str) -> bytes:
    """A whole request, with the headers that `openai` sends."""
    lines = {
        "Host": "127.0.0.1",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": "application/json",
        "User-Agent": "OpenAI/Python 2.8.0",
        "Authorization": f"Bearer {key}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def chat(key: str, model: str = "m", **more: object) -> bytes:
    """A chat request."""
    return request("/v1/chat/completions", json.dumps({"model": model, **CHAT, **more}).encode(), key)


def saying(word: str, key: str) -> bytes:
    """A streamed chat whose text tells the engine how to answer: @hold, @flood."""
    document = {"model": "m", "messages": [{"role": "user", "content": word}], "stream": True}
    return request("/v1/chat/completions", json.dumps(document, separators=(",", ":")).encode(), key)


def tensor(size: int, key: str) -> bytes:
    """An inference of one binary tensor of that many bytes, answered by one of the same size."""
    described = {"name": "x", "datatype": "UINT8", "shape": [size], "parameters": {"binary_data_size": size}}
    header = json.dumps({"inputs": [described]}).encode()
    more = {"Content_Type": "application/octet-stream", "Inference_Header_Content_Length": str(len(header))}
    return request(f"/v2/models/t{size}/infer", header + bytes(size), key, **more)
