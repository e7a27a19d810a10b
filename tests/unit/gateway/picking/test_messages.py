"""Do gateway and endpoint picker understand each other? Against bytes that the official messages were serialised to."""

import pytest
from mizzen_gateway.picking.client import EndpointPickers
from mizzen_gateway.picking.decisions import Picked, TurnedAway
from mizzen_gateway.picking.messages import read_response, request_body, request_headers
from support import ext_proc_messages as official
from support.ext_proc_messages import FIRST, SECOND


def test_what_is_asked_is_as_the_official_messages_are() -> None:
    headers = ((":method", "POST"), (":path", "/v1/chat/completions"), ("x-request-id", "req_1"))
    assert request_headers(headers, [FIRST, SECOND]).hex() == official.HEADERS
    assert request_body(b'{"model":"m"}').hex() == official.BODY


@pytest.mark.parametrize(
    ("message", "decided"),
    [
        (official.BY_HEADERS, Picked((FIRST,))),
        (official.BY_BODY, Picked((FIRST,))),
        (official.BY_METADATA, Picked((FIRST, SECOND))),
        (official.NOTHING, None),
        (official.BUSY, TurnedAway(429)),
        (official.UNAVAILABLE, TurnedAway(503)),
    ],
)
def test_what_is_answered_is_read(message: str, decided: Picked | TurnedAway | None) -> None:
    assert read_response(bytes.fromhex(message)) == decided


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("picker", "picker.team.svc:9002"),
        ("picker-2:50051", "picker-2.team.svc:50051"),
        ("picker.kube-system", None),
        ("10.0.0.1:443", None),
        ("api.example.com:443", None),
        ("{service}", None),
    ],
)
def test_a_picker_is_a_service_of_the_deployments_own_namespace(reference: str, address: str | None) -> None:
    pickers = EndpointPickers("{service}.{namespace}.svc")
    assert pickers.address(reference, "team") == address
