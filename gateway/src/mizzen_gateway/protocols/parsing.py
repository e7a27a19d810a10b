"""Which call does a request of the OpenAI API make?"""

from mizzen_gateway.protocols.call import Call
from mizzen_gateway.protocols.classify.call import ClassifyCall
from mizzen_gateway.protocols.openai.call import OpenAICall, parse
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request


def parsed(action: str, request: Request) -> Call | Refusal:
    """A call whose parameters hold, or what is wrong with them."""
    call = parse(action, request)
    if action == "classify" and isinstance(call, OpenAICall):
        return ClassifyCall(call, call.body)
    return call
