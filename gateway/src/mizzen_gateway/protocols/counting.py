"""How many tokens has a prompt that no engine told of? The model's own tokenizer says it, where the engine lends it.

vLLM answers `/tokenize` with the chat template that it uses itself. Where it does not, or not in time, the estimate by
bytes stands; the row is flagged as estimated either way.
"""

from dataclasses import replace
from typing import Any

import orjson

from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import Address, EnginePool
from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.openai.call import OpenAICall
from mizzen_gateway.stages import Usage

PATH = "/tokenize"
SECONDS = 2.0
"""A caller has gone by then: nobody waits for the answer but the row."""
ANSWER_LIMIT = 16 * 1024 * 1024
"""The answer holds every token's number as well."""
LENDS_ITS_TOKENIZER = frozenset({"vLLM"})
_ADDED = ("tools", "add_generation_prompt", "continue_final_message", "add_special_tokens")


async def prompt_counted(usage: Usage, call: Call, engine_model: str, address: Address, pool: EnginePool) -> Usage:
    """The usage, with the prompt as the model's tokenizer counts it where that can be had."""
    asked = _question(call, engine_model)
    if asked is None:
        return usage
    sink = Collected(ANSWER_LIMIT)
    request = EngineRequest(PATH, orjson.dumps(asked), (("content-type", "application/json"),))
    try:
        await pool.exchange(address, request, sink, SECONDS, SECONDS)
        told = orjson.loads(sink.body) if sink.status == 200 else None
    except (EngineFailureError, orjson.JSONDecodeError):
        return usage
    count = told.get("count") if isinstance(told, dict) else None
    return replace(usage, input_tokens=count) if type(count) is int and count >= 0 else usage


def _question(call: Call, engine_model: str) -> dict[str, Any] | None:
    """What the engine is asked; None for what is no text of one prompt."""
    if not isinstance(call, OpenAICall):
        return None
    body = call.body
    if call.operation == "chat.completions":
        added = {name: body[name] for name in _ADDED if name in body}
        return {"model": engine_model, "messages": body["messages"], **added}
    if call.operation == "completions" and isinstance(body["prompt"], str):
        return {"model": engine_model, "prompt": body["prompt"]}
    return None
