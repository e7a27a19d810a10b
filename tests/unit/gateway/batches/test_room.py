"""When is there a gap for a line of a batch?"""

import asyncio

from mizzen_gateway.batches.room import Room
from mizzen_gateway.discovery.object_views import deployment_facts, endpoint_set_facts
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Caller
from support.gateway import endpoint_set, model_deployment

CALLER = Caller("org_1", "prj_1", "default", "default", "key_1")
BUSY_FROM = 2


def served(*ports: int) -> tuple[Room, Target]:
    """Model `chat` with a ready replica at each port."""
    table = RouteTable(LoadBook(), {"default": "default"}.get)
    table.put_deployment(deployment_facts(model_deployment("chat")))
    table.put_endpoints(endpoint_set_facts(endpoint_set("chat", *[("127.0.0.1", port) for port in ports])))
    return Room(table, BUSY_FROM), table.target(("default", "chat"))


async def test_a_line_goes_where_a_replica_has_little_to_do() -> None:
    room, target = served(1, 2)
    first, second = target.endpoints()
    assert room.has(CALLER, "chat")
    first.in_flight = second.in_flight = BUSY_FROM
    assert not room.has(CALLER, "chat")
    second.in_flight -= 1
    assert room.has(CALLER, "chat")
    second.others = 1.0  # what another gateway asks of it counts as well
    assert not room.has(CALLER, "chat")


async def test_nothing_goes_ahead_of_those_who_wait_for_a_replica_and_one_line_may_wake_one() -> None:
    room, target = served()
    assert room.has(CALLER, "chat")
    waiting = asyncio.create_task(target.park(asyncio.get_running_loop().time() + 60))
    await asyncio.sleep(0)
    assert target.parked == 1
    assert not room.has(CALLER, "chat")
    waiting.cancel()


async def test_nothing_goes_ahead_of_those_who_wait_for_a_place_at_a_replica() -> None:
    room, target = served(1)
    (gate,) = target.gates.values()
    gate.waiting = 1
    assert not room.has(CALLER, "chat")


async def test_a_line_that_will_be_refused_goes_out_to_be_told_why() -> None:
    room, _ = served(1)
    assert room.has(CALLER, "nobody-serves-this")
