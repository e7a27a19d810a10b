"""How many prompts does an engine make of a body, and how many tokens at most? What a hard budget rests on.

A token is a byte at least, and JSON never shortens a text: the body's own size bounds what stands in it once. What
engines put around it, write once more for each prompt, or write longer than it came is counted beside that.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from mizzen_gateway.protocols.depth import CONTAINERS, too_deep
from mizzen_gateway.protocols.openai.letters import plain_growth
from mizzen_gateway.protocols.openai.parameters import DATA, entries_of, pair_in, sides_of
from mizzen_gateway.protocols.openai.rules import RULES

Body = dict[str, Any]
Bound = Callable[[str, Body, bytes, int, int], int]
TEMPLATE_TOKENS = 256
"""What a chat template may put around a conversation: a system prompt of its own, say."""
MESSAGE_TOKENS = 32
"""What it may add to each message, beside the message's own JSON, which is 28 bytes or so."""
INSTRUCTION_TOKENS = 1536
"""What it may say about how tools are called, or documents quoted, where there are any."""
TOOL_TOKENS = 32
"""What it may put around each of them."""
ESCAPED = 3
"""How much longer JSON gets whose letters are written as escapes, which is the longest of them."""
SPREAD = 2
"""How much more blank JSON has that is indented by four rather than by two."""
INDENT, DEEPEST = 4, 1024
"""Blanks before a line, for each of so many lists and objects within each other."""
WRITTEN_AS_JSON = frozenset({"tools", "documents", "functions", "response_format", "text", "tool_choice"})
"""Fields that a chat template may write as JSON of its own."""
LISTED = frozenset({"tools", "documents", "functions"})
"""Those that it may say more of."""
EMBEDDED = frozenset({"embeddings", "classify"})
"""What takes texts or conversations."""
OF_SEVERAL = EMBEDDED | {"completions", "rerank", "score"}
"""What may be asked for several prompts at once."""
CONVERSATION = {"chat.completions": "messages", "responses": "input"}
"""Field that a chat template is written of."""
TEMPLATED = EMBEDDED | CONVERSATION.keys()
"""What a chat template may be written for."""
ONCE = frozenset({"model", "user", "encoding_format", "prompt_cache_key", "safety_identifier", "service_tier"})
"""Texts that no engine writes into a prompt, beside those that have rules."""
EACH_ITS_OWN: dict[str, tuple[str, ...]] = {
    "completions": ("prompt",),
    "embeddings": ("input",),
    "classify": ("input",),
    "rerank": ("documents",),
}
"""Fields whose entries are read once; all else may be written into each prompt."""
TEXTS = (str, dict, list)


def prompts_in(name: str, body: Body) -> int:
    """Prompts that the engine makes of a body, each with a template around it."""
    if name not in OF_SEVERAL:
        return 1
    match name:
        case "completions":
            return entries_of(body["prompt"])
        case "rerank":
            return max(sides_of(body["query"]), sides_of(body["documents"]))
        case "score":
            return max(sides_of(body[side]) for side in pair_in(body))
    return 1 if body.get("input") is None else entries_of(body["input"])


def prompt_bound(name: str, body: Body, raw: bytes, around: int, template: int) -> int:
    """Tokens of all prompts of a body that was read from `raw`: `around` each, `template` around each conversation."""
    prompts = prompts_in(name, body)
    bound = len(raw) + around * prompts
    turns, conversations = _turns(name, body)
    if conversations:
        bound += MESSAGE_TOKENS * turns + template * conversations
        if not WRITTEN_AS_JSON.isdisjoint(body):
            bound += _written(body)
        if raw.find(b"arguments") >= 0:
            bound += sum(map(_grown, _arguments(_all_turns(body))))
    if prompts > 1:
        bound += (prompts - 1) * _repeated(name, body)
    return bound


def closer_bound(name: str, body: Body, raw: bytes, around: int, template: int) -> int:
    """The same, of a body that has other letters than ASCII's, or escapes: those may hide names, and grow."""
    plain = orjson.dumps(body) if raw.find(b"\\") >= 0 else raw
    bound = prompt_bound(name, body, plain, around, template) + len(raw) - len(plain)
    return bound + plain_growth(plain) * prompts_in(name, body)


def pads(body: Body) -> bool:
    """Whether each prompt is filled up to the engine's longest, whatever it says."""
    return body.get("padding") not in (None, "do_not_pad")


def _turns(name: str, body: Body) -> tuple[int, int]:
    """Turns of all conversations, and those."""
    field = CONVERSATION.get(name)
    if field is not None:
        turns = body[field]
        return (len(turns) if type(turns) is list else 1), 1
    if name not in EMBEDDED:
        return 0, 0
    given = body["messages"] if body.get("input") is None else body["input"]
    if type(given) is not list:
        return 0, 0
    if type(given[0]) is dict:
        return len(given), 1
    several = [one for one in given if type(one) is list and one and type(one[0]) is dict]
    return sum(map(len, several)), len(several)


def _written(body: Body) -> int:
    """What a template may write of tools, documents and schemas beside their own bytes."""
    more = 0
    for field in WRITTEN_AS_JSON:
        held = body.get(field)
        if held:
            more += _longer(held)
            if field in LISTED:
                more += INSTRUCTION_TOKENS + TOOL_TOKENS * (len(held) if type(held) is list else 1)
    return more


def _all_turns(body: Body) -> Iterator[Body]:
    for field in ("messages", "input"):
        held = body.get(field)
        for turn in held if type(held) is list else ():
            if type(turn) is dict:
                yield turn
            elif type(turn) is list:
                yield from (one for one in turn if type(one) is dict)


def _arguments(turns: Iterable[Body]) -> Iterator[Any]:
    """Arguments of calls in turns, which templates write anew."""
    for turn in turns:
        calls = turn.get("tool_calls")
        for call in (*(calls if type(calls) is list else ()), turn.get("function_call"), turn):
            if type(call) is dict:
                function = call.get("function")
                held = (function if type(function) is dict else call).get("arguments")
                if held is not None:
                    yield held


def _grown(arguments: Any) -> int:
    """Bytes by which arguments grow; most often they are JSON in a text."""
    if type(arguments) is not str:
        return _longer(arguments)
    try:
        value = orjson.loads(arguments)
        if type(value) not in CONTAINERS or not too_deep(value):
            return _longer(value)
    except orjson.JSONDecodeError:
        pass
    # What other readers may take for JSON: each letter on a line of its own, as deep as there are brackets.
    deep = min(arguments.count("[") + arguments.count("{"), DEEPEST)
    return len(arguments) * (2 * ESCAPED + INDENT * deep)


def _longer(value: Any) -> int:
    """Bytes by which JSON grows in the longest of all ways to write it."""
    short = len(orjson.dumps(value))
    return (ESCAPED - 1) * short + SPREAD * (len(orjson.dumps(value, option=orjson.OPT_INDENT_2)) - short)


def _repeated(name: str, body: Body) -> int:
    """Bytes that are read once for each prompt: the query that documents are ranked by, an instruction."""
    own = frozenset(_own(name, body))
    return sum(
        len(orjson.dumps(value))
        for field, value in body.items()
        if type(value) in TEXTS and field not in own and field not in ONCE and field not in DATA and field not in RULES
    )


def _own(name: str, body: Body) -> tuple[str, ...]:
    """Fields whose entries are read once each."""
    if name != "score":
        return EACH_ITS_OWN[name]
    one, other = pair_in(body)
    return (other,) if entries_of(body[one]) == 1 else (one, other)
