"""Which call does a request of the OpenAI API make?"""

from typing import Final

from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.classify.call import ClassifyCall
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request

IDENTITY: Final = b"identity"
COMPRESSED: Final = Refusal(
    415, "unsupported_encoding", "Header Content-Encoding: a body of /v1 is not compressed; send it as it is."
)


def parsed(action: str, request: Request, hosts: Hosts = NO_HOSTS) -> Call | Refusal:
    """A call whose parameters hold, or what is wrong with them; engines may fetch from `hosts`."""
    if request.headers.get(b"content-encoding", IDENTITY).lower() not in (IDENTITY, b""):
        return COMPRESSED
    call = parse(action, request, hosts)
    if action == "classify" and isinstance(call, OpenAICall):
        return ClassifyCall(call, call.body)
    return call
