"""What does a request ask for? The fields of OpenAI's bodies that change an answer, checked."""

from dataclasses import dataclass
from typing import Any

from mizzen_engines.simulated.settings import Settings
from mizzen_engines.simulated.text import count_tokens, text_of


class BadRequestError(Exception):
    """The request cannot be answered; the message names the field and the limit."""

    def __init__(self, message: str, field: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.status = status


@dataclass(frozen=True)
class Tool:
    """The function that the answer calls."""

    name: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A chat or completion request."""

    prompt: str
    prompt_tokens: int
    limit: int | None
    """max_tokens; None for as long as the answer is."""
    fixed: bool
    """ignore_eos: the answer has exactly `limit` tokens."""
    choices: int
    stream: bool
    include_usage: bool
    seed: str
    stops: tuple[str, ...]
    tool: Tool | None
    schema: dict[str, Any] | None = None
    """JSON schema that the answer fits; empty for any object."""


def chat(body: dict[str, Any], settings: Settings) -> Asked:
    """Read a chat completion's body."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise BadRequestError("messages must be a list of at least one message", "messages")
    lines = [f"{message.get('role')}: {text_of(message.get('content'))}" for message in messages]
    limit = _positive(body, "max_completion_tokens") or _positive(body, "max_tokens")
    return _asked(body, "\n".join(lines), limit, _tool(body, messages), settings)


def completion(body: dict[str, Any], settings: Settings) -> Asked:
    """Read a completion's body. A prompt of token numbers counts one token a number."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, list) and prompt and all(isinstance(token, int) for token in prompt):
        prompt = " ".join(str(token) for token in prompt)
    if not isinstance(prompt, str) or not prompt:
        raise BadRequestError("prompt must be a text or a list of token numbers", "prompt")
    return _asked(body, prompt, _positive(body, "max_tokens") or 16, None, settings)


def embedding_inputs(body: dict[str, Any]) -> list[str]:
    """The texts to embed; a list of token numbers is one text."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given:
        if all(isinstance(part, int) for part in given):
            return [" ".join(str(part) for part in given)]
        if all(isinstance(part, str | list) for part in given):
            return [part if isinstance(part, str) else " ".join(str(token) for token in part) for part in given]
    raise BadRequestError("input must be a text, a list of texts, or lists of token numbers", "input")


def _asked(body: dict[str, Any], prompt: str, limit: int | None, tool: Tool | None, settings: Settings) -> Asked:
    prompt_tokens = max(1, count_tokens(prompt))
    if prompt_tokens + (limit or 1) > settings.max_model_len:
        raise BadRequestError(
            f"This model's maximum context length is {settings.max_model_len} tokens, but the prompt has "
            f"{prompt_tokens} and max_tokens asks for {limit or 1}: shorten the prompt or lower max_tokens",
            "max_tokens",
        )
    options = body.get("stream_options")
    stops = body.get("stop") or ()
    return Asked(
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        limit=limit,
        fixed=body.get("ignore_eos") is True and limit is not None,
        choices=_positive(body, "n") or 1,
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        seed=str(body.get("seed", "")),
        stops=(stops,) if isinstance(stops, str) else tuple(str(stop) for stop in stops),
        tool=tool,
        schema=_schema(body.get("response_format")),
    )


def _schema(wanted: Any) -> dict[str, Any] | None:
    if not isinstance(wanted, dict) or wanted.get("type") not in {"json_object", "json_schema"}:
        return None
    found = (wanted.get("json_schema") or {}).get("schema")
    return found if isinstance(found, dict) else {}


def _positive(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadRequestError(f"{name} must be a whole number of at least 1, got {value!r}", name)
    return value


def _tool(body: dict[str, Any], messages: list[dict[str, Any]]) -> Tool | None:
    """The tool to call: the one that is asked for, else the first, unless the talk ends with a tool's answer."""
    tools = [
        t["function"] for t in body.get("tools") or [] if isinstance(t, dict) and isinstance(t.get("function"), dict)
    ]
    choice = body.get("tool_choice") or "auto"
    if not tools or choice == "none" or (choice == "auto" and messages[-1].get("role") == "tool"):
        return None
    wanted = choice.get("function", {}).get("name") if isinstance(choice, dict) else tools[0].get("name")
    for tool in tools:
        if tool.get("name") == wanted:
            return Tool(str(wanted), tool.get("parameters") or {})
    raise BadRequestError(f"tool_choice names {wanted!r}, which is not among the tools", "tool_choice")
