"""What a body of /v1/responses must keep: nothing is kept between requests, so nothing that was kept is asked for."""

from typing import Any

from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.media_urls import Hosts
from mizzen_gateway.stages import Refusal

KEPT_ELSEWHERE = {
    "store": "responses are not kept here; leave it out or send false",
    "background": "nothing runs on after the connection; leave it out or send false",
    "previous_response_id": "responses are not kept here; send the whole conversation in `input`",
    "conversation": "conversations are not kept here; send the whole one in `input`",
    "prompt": "prompts are not kept here; send the text in `instructions` and `input`",
    "previous_input_messages": "it is of one engine; send the whole conversation in `input`",
}


def stateless(body: dict[str, Any], _hosts: Hosts) -> Refusal | None:
    """The first thing that is wrong with the body."""
    for field, why in KEPT_ELSEWHERE.items():
        if body.get(field) not in (None, False):
            return invalid(field, f"{field}: not offered, because {why}.", "parameter_not_allowed")
    given = body.get("input")
    if isinstance(given, str) and given:
        return None
    if not isinstance(given, list) or not given:
        return invalid("input", "input: must be a text or a list of items, and not empty.")
    for index, item in enumerate(given):
        where = f"input[{index}]"
        if not isinstance(item, dict):
            return invalid(where, f"{where}: must be an object.")
        if item.get("type") == "item_reference":
            message = f"{where}: items are not kept here, so none can be referred to; send the item itself."
            return invalid(where, message, "parameter_not_allowed")
    return None
