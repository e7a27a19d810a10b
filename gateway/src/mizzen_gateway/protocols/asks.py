"""What does a deployment's policy ask of a request? The blocks of its prompt, or its session."""

from mizzen_gateway.protocols.call import Call
from mizzen_gateway.routing.affinity import Ask
from mizzen_gateway.routing.prefix_index import block_hashes
from mizzen_gateway.routing.ring import point
from mizzen_gateway.stages import Headers

SESSION_HEADER = b"x-session-id"
"""Of a caller that says which session a request belongs to."""


def ask_of(policy: str, call: Call, headers: Headers, project_id: str) -> Ask | None:
    """What `policy` (spec.routing.policy) works from; None where the request has nothing of it.

    Sessions and prompts of two projects have nothing to do with each other, even where they are equal.
    """
    if policy == "PrefixAffinity":
        prompt = call.prompt()
        if prompt is None:
            return None
        return Ask(_place(project_id, prompt.opening), block_hashes(prompt.text, project_id))
    if policy == "SessionAffinity":
        session = headers.get(SESSION_HEADER) or call.session().encode()
        return Ask(_place(project_id, session)) if session else None
    return None


def _place(project_id: str, text: bytes) -> int:
    return point(project_id.encode() + b"\0" + text)
