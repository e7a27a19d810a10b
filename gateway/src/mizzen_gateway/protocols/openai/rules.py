"""Bounds of single fields, whatever the operation: asked only for those that a body has."""

from collections.abc import Callable
from typing import Any

from mizzen_gateway.protocols.openai.content import refused_depth
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.stages import Refusal

Rule = Callable[[str, Any], Refusal | None]
MAX_CHOICES = 128
MAX_OUTPUT_TOKENS = 1_000_000
MAX_LOGPROBS = 20
MAX_TOOLS = 512
STOP_TEXTS, STOP_LENGTH = 32, 1000
OUTPUT_CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
CAP_ALIASES = ("n_predict", "num_predict", "max_new_tokens", "max_length")
"""Names that some engines have for the same, and prefer."""
MORE_CHOICES = ("n_cmpl",)
"""Names that some engines have for `n`."""
REFUSED = {
    "prompt_embeds": "it carries serialised objects",
    "logits_processors": "it names code to run",
    "chat_template": "it is code of the engine's template language",
    "chat_template_kwargs": "it changes the engine's template",
    "use_beam_search": "its work cannot be bounded",
    "media_io_kwargs": "it changes how the engine reads media",
    "mm_processor_kwargs": "it changes how the engine reads media",
}
STRIPPED = (
    "cache_salt", "priority", "kv_transfer_params", "ec_transfer_params", "data_parallel_rank", "request_id",
    "session_id", "vllm_xargs",
)  # fmt: skip


def whole(low: int, high: int) -> Rule:
    """A whole number between bounds."""

    def rule(field: str, value: Any) -> Refusal | None:
        if type(value) is int and low <= value <= high:
            return None
        return invalid(field, f"{field}: must be a whole number from {low} to {high}.")

    return rule


def entries(most: int) -> Rule:
    """A list or an object of so many entries."""

    def rule(field: str, value: Any) -> Refusal | None:
        if not isinstance(value, list | dict) or len(value) <= most:
            return None
        return invalid(field, f"{field}: {len(value)} entries, but {most} at most are taken; send fewer.")

    return rule


def boolean(field: str, value: Any) -> Refusal | None:
    """True or false."""
    return None if isinstance(value, bool) else invalid(field, f"{field}: must be true or false.")


def refused(field: str, value: Any) -> Refusal | None:
    """Not allowed; false is as good as nothing."""
    if value is False:
        return None
    return invalid(field, f"{field}: not allowed, because {REFUSED[field]}; leave it out.", "parameter_not_allowed")


def logprobs(field: str, value: Any) -> Refusal | None:
    """True or false for a chat, a number for a completion."""
    return None if isinstance(value, bool) else whole(0, MAX_LOGPROBS)(field, value)


def stop(field: str, value: Any) -> Refusal | None:
    """A text or a few."""
    texts = value if isinstance(value, list) else [value]
    if len(texts) <= STOP_TEXTS and all(isinstance(one, str) and 0 < len(one) <= STOP_LENGTH for one in texts):
        return None
    message = f"{field}: must be a text, or a list of up to {STOP_TEXTS} texts, each of 1 to {STOP_LENGTH} characters."
    return invalid(field, message)


def options(field: str, value: Any) -> Refusal | None:
    """stream_options."""
    if isinstance(value, dict) and isinstance(value.get("include_usage", False), bool):
        return None
    return invalid(field, f'{field}: must be an object such as {{"include_usage": true}}.')


def depth(field: str, value: Any) -> Refusal | None:
    """Data of the engine's, such as a schema."""
    return refused_depth(value, field)


def tools(field: str, value: Any) -> Refusal | None:
    """Functions that the caller runs; those that an engine would run itself reach into its network."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return invalid(field, f"{field}: must be a list of tools.")
    for index, tool in enumerate(value):
        kind = tool.get("type", "function")
        if kind not in {"function", "custom"}:
            message = (
                f"{field}[{index}].type: only functions that the caller runs are offered, none that the engine would"
                " run or call itself; leave it out."
            )
            return invalid(f"{field}[{index}].type", message, "parameter_not_allowed")
    return entries(MAX_TOOLS)(field, value) or refused_depth(value, field)


WHOLE: dict[str, tuple[int, int]] = {
    **dict.fromkeys(OUTPUT_CAPS, (1, MAX_OUTPUT_TOKENS)),
    **dict.fromkeys(("n", "best_of"), (1, MAX_CHOICES)),
    **dict.fromkeys(("top_logprobs", "prompt_logprobs"), (0, MAX_LOGPROBS)),
    "min_tokens": (0, MAX_OUTPUT_TOKENS),
}
"""Whole numbers: the smallest and the largest."""
MOST_ENTRIES: dict[str, int] = {
    **dict.fromkeys(("logit_bias", "allowed_token_ids"), 1024),
    **dict.fromkeys(("bad_words", "stop_token_ids"), 256),
    "logprob_token_ids": MAX_CHOICES,
}
"""Lists and objects: how many entries."""
DEEP = ("tool_choice", "response_format", "structured_outputs", "text", "metadata")
"""Data of the engine's, held to a depth alone."""
RULES: dict[str, Rule] = {
    **dict.fromkeys(REFUSED, refused),
    **dict.fromkeys(DEEP, depth),
    **{field: whole(low, high) for field, (low, high) in WHOLE.items()},
    **{field: entries(most) for field, most in MOST_ENTRIES.items()},
    "logprobs": logprobs,
    "stop": stop,
    "stream": boolean,
    "stream_options": options,
    "tools": tools,
}
