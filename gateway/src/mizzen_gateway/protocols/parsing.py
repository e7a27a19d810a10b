"""Which call does a request of the OpenAI API make?"""

from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.classify.call import ClassifyCall
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request


def parsed(action: str, request: Request, hosts: Hosts = NO_HOSTS) -> Call | Refusal:
    """A call whose parameters hold, or what is wrong with them; engines may fetch from `hosts`."""
    call = parse(action, request, hosts)
    if action == "classify" and isinstance(call, OpenAICall):
        return ClassifyCall(call, call.body)
    return call
