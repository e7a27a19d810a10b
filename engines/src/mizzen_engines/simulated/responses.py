"""What does /v1/responses say? The answer of a chat in the bodies and events of OpenAI's Responses API."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from mizzen_engines.simulated.answers import PlannedAnswer
from mizzen_engines.simulated.requests import Asked, BadRequestError


def as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The chat that a body of /v1/responses stands for."""
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items or not all(isinstance(one, dict) for one in items):
        raise BadRequestError("input must be a text or a list of items", "input")
    if body.get("store"):
        raise BadRequestError("store is not supported: nothing is kept", "store")
    before = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    tools = [{"type": "function", "function": one} for one in body.get("tools") or []]
    messages = [
        {"role": "tool", "content": one.get("output")} if one.get("type") == "function_call_output" else one
        for one in items
    ]
    wanted = (body.get("text") or {}).get("format") or {}
    schema = {"type": wanted.get("type"), "json_schema": {"schema": wanted.get("schema")}}
    chat = {"response_format": schema, "messages": [*before, *messages], "tools": tools, "stream": body.get("stream")}
    return {**chat, "max_tokens": body.get("max_output_tokens"), "tool_choice": body.get("tool_choice", "auto")}


class ResponseBody:
    """One response, whole or event by event."""

    def __init__(self, model: str, asked: Asked, answer: PlannedAnswer) -> None:
        self._id, self._item_id = f"resp_{uuid.uuid4().hex}", f"msg_{uuid.uuid4().hex}"
        self._model, self._asked, self._answer = model, asked, answer
        self._created = int(time.time())
        self._numbers = iter(range(1 << 30))

    def whole(self, status: str = "completed") -> dict[str, Any]:
        """The response as it stands at the end, or at the beginning (`in_progress`)."""
        done = status != "in_progress"
        if done and self._answer.finish_reason == "length":
            status = "incomplete"
        tokens = len(self._answer.pieces)
        usage = {
            "input_tokens": self._asked.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self._asked.prompt_tokens + tokens,
        }
        reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": self._id, "object": "response", "created_at": self._created, "status": status, "error": None,
            "incomplete_details": reason, "instructions": None, "metadata": {}, "model": self._model,
            "output": [self._item(done)] if done else [], "parallel_tool_calls": True, "temperature": 1.0,
            "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage if done else None,
        }  # fmt: skip

    def _item(self, done: bool) -> dict[str, Any]:
        text = "".join(self._answer.pieces) if done else ""
        status = "completed" if done else "in_progress"
        if self._answer.tool_name:
            return {
                "type": "function_call", "id": self._item_id, "call_id": f"call_{self._item_id[-24:]}",
                "name": self._answer.tool_name, "arguments": text, "status": status,
            }  # fmt: skip
        content = [{"type": "output_text", "text": text, "annotations": []}] if done else []
        return {"type": "message", "id": self._item_id, "role": "assistant", "status": status, "content": content}

    def opening(self) -> Iterator[dict[str, Any]]:
        """Events before the first piece."""
        for kind in ("response.created", "response.in_progress"):
            yield self._event(kind, response=self.whole("in_progress"))
        yield self._event("response.output_item.added", output_index=0, item=self._item(done=False))
        if not self._answer.tool_name:
            part = {"type": "output_text", "text": "", "annotations": []}
            yield self._event("response.content_part.added", **self._place(), part=part)

    def piece(self, number: int) -> dict[str, Any]:
        """The event of one piece."""
        if self._answer.tool_name:
            delta = self._answer.pieces[number]
            kind = "response.function_call_arguments.delta"
            return self._event(kind, item_id=self._item_id, output_index=0, delta=delta)
        return self._event("response.output_text.delta", **self._place(), delta=self._answer.pieces[number])

    def closing(self) -> Iterator[dict[str, Any]]:
        """Events after the last piece."""
        text = "".join(self._answer.pieces)
        if self._answer.tool_name:
            kind = "response.function_call_arguments.done"
            yield self._event(kind, item_id=self._item_id, output_index=0, arguments=text)
        else:
            yield self._event("response.output_text.done", **self._place(), text=text)
            part = {"type": "output_text", "text": text, "annotations": []}
            yield self._event("response.content_part.done", **self._place(), part=part)
        yield self._event("response.output_item.done", output_index=0, item=self._item(done=True))
        whole = self.whole()
        yield self._event(f"response.{whole['status']}", response=whole)

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item_id, "output_index": 0, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "sequence_number": next(self._numbers), **fields}
