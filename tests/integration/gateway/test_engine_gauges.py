"""Does a gateway see what other gateways ask of its engines? Their gauges, beyond what it has sent itself."""

from pathlib import Path

import aiohttp
from mizzen_gateway.load.gauges import EngineGauges, sum_of
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, completion, scripted_engine
from support.until import until

KEY = make_key()
PAGE = b"""# HELP vllm:num_requests_running Sequences in the batch.
vllm:num_requests_running{model_name="m"} %d.0
vllm:num_requests_running_total{model_name="m"} 900.0
vllm:num_requests_waiting{model_name="m"} 2.0
"""


def test_only_the_gauges_of_requests_are_added_up() -> None:
    assert sum_of(PAGE % 10, (b"vllm:num_requests_running", b"vllm:num_requests_waiting")) == 12


class Shown:
    """An engine whose gauge shows what a test says."""

    def __init__(self, running: int) -> None:
        self.running = running
        self.status = 200

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path == "/metrics":
            await exchange.send(self.status, PAGE % self.running)
        elif exchange.method == "GET":
            await exchange.send(404, b"")
        else:
            await exchange.send_json(completion(exchange.document["model"]))


async def test_an_engine_that_others_keep_busy_gets_less_and_its_own_requests_count_once(tmp_path: Path) -> None:
    busy, idle = Shown(28), Shown(0)
    async with scripted_engine(busy) as one, scripted_engine(idle) as two:
        objects = [model_deployment("chat"), endpoint_set("chat", one.address, two.address)]
        async with (
            running_gateway(tmp_path, make_snapshot([KEY]), *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
        ):
            gauges = EngineGauges(running.gateway.table, running.gateway.pool, 5)
            states = list(running.gateway.table.target(("default", "chat")).endpoints())
            states[1].in_flight = 2  # what its gauge shows is what this gateway has sent
            for _ in range(30):
                await gauges.read()
            assert 29 < states[0].others <= 30
            assert states[1].others < 1e-3
            for _ in range(6):
                body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
                async with session.post(running.url + "/v1/chat/completions", json=body) as response:
                    assert response.status == 200
            assert sum(exchange.method == "POST" for exchange in one.exchanges) == 0
            busy.status = 500
            await gauges.read()
            assert states[0].others == 0, "what cannot be read is not held against it"


async def test_the_time_of_a_triton_is_shared_by_its_statistics(tmp_path: Path) -> None:
    spent = {"count": 0, "ns": 0}

    async def triton(exchange: Exchange) -> None:
        if exchange.path == "/v2/models/inner/stats":
            stats = {"inference_stats": {"success": spent, "fail": {"count": 0, "ns": 0}}}
            await exchange.send_json({"model_stats": [{"name": "inner", "version": "1", **stats}]})
        else:
            await exchange.send(404, b"")

    async with scripted_engine(triton) as one:
        pods = [
            model_deployment("m", resources={"acceleratorsPerPod": 1}),
            endpoint_set("m", one.address, protocol="OpenInference", engine="Triton", model_name="inner"),
        ]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *pods) as running:
            [state] = running.gateway.table.target(("default", "m")).endpoints()
            gauges = EngineGauges(running.gateway.table, running.gateway.pool, 5)
            clock = running.gateway.pool.now
            await gauges.read()
            read_at = clock()
            assert state.others == 0
            await until(lambda: clock() > read_at)
            spent.update(count=50, ns=10**12)
            await gauges.read()
            assert state.others > 10, "nothing of it was this gateway's own"


async def test_engines_are_not_asked_where_there_is_no_choice(tmp_path: Path) -> None:
    async with scripted_engine(Shown(5)) as one:
        objects = [model_deployment("chat"), endpoint_set("chat", one.address)]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects) as running:
            await EngineGauges(running.gateway.table, running.gateway.pool, 5).read()
            assert one.exchanges == []


async def test_the_time_of_accelerators_is_shared_with_what_others_have_under_way(tmp_path: Path) -> None:
    async with scripted_engine(Shown(1)) as one:
        pods = [model_deployment("chat", resources={"acceleratorsPerPod": 2}), endpoint_set("chat", one.address)]
        async with running_gateway(tmp_path, make_snapshot([KEY]), *pods) as running:
            [state] = running.gateway.table.target(("default", "chat")).endpoints()
            gauges = EngineGauges(running.gateway.table, running.gateway.pool, 5)
            for _ in range(30):
                await gauges.read()
            now = running.gateway.pool.now()
            began = state.time.begin(now)
            assert 9.9 < state.time.end(began, now + 40.0) < 10.1, "one of its own and three of others"
