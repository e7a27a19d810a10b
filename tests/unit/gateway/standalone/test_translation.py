"""What gateway.yaml says becomes the snapshot and the objects that a control plane would send."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from mizzen_crds.access import AccessSnapshot, BudgetWindow, Scope
from mizzen_crds.periods import Window
from mizzen_gateway.discovery.object_views import endpoint_set_facts, route_facts
from mizzen_gateway.engine.exchange import EngineRequest
from mizzen_gateway.routing.route import HeaderTest, HedgeFacts, Ref, StepFacts
from mizzen_gateway.settings import TraceSettings
from mizzen_gateway.standalone.access import snapshot_of
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.keys import fresh_key
from mizzen_gateway.standalone.objects import dials_of, object_name, objects_of
from mizzen_gateway.standalone.parts import SecretMissingError
from mizzen_gateway.standalone.reading import parse, read_file
from mizzen_gateway.standalone.settings import trace_settings
from support.alone import a_file, a_key

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
LIMIT = {"name": "l", "metric": "requests", "amount": 10, "per": "minute"}


def snapshot(**more: Any) -> AccessSnapshot:
    _, entry = a_key()
    return snapshot_of(GatewayFile.model_validate(a_file("http://x", entry, **more)), Path(), 1, NOON)


def test_limits_and_budgets_have_the_scope_of_where_they_stand() -> None:
    _, entry = a_key()
    found = snapshot(
        limits=[LIMIT | {"name": "all"}],
        models=[{"name": "small", "upstreams": ["local"], "limits": [LIMIT | {"name": "model"}]}],
        projects=[
            {"name": "a", "limits": [LIMIT], "keys": [entry | {"limits": [LIMIT | {"name": "k", "each_user": True}]}]},
            {"name": "b"},
        ],
    )
    scopes = [(one.name, one.scope, one.scope_id.partition("_")[0]) for one in found.limits]
    assert scopes == [
        ("all", Scope.ORGANIZATION, "org"),
        ("model", Scope.MODEL, "a/small"),
        ("model", Scope.MODEL, "b/small"),
        ("l", Scope.PROJECT, "prj"),
        ("k", Scope.USER, "key"),
    ]
    assert len({one.id for one in found.limits if one.name == "model"}) == 1, "one count, whoever calls the model"


def test_money_is_exact() -> None:
    prices = [{"per_million_input_tokens": 0.15, "per_million_output_tokens": 0.000001, "per_request": 0.01}]
    found = snapshot(prices=prices, budgets=[{"name": "b", "amount": 25.5, "window": "month"}])
    price = found.prices[0]
    assert (price.pico_per_input_token, price.pico_per_output_token, price.pico_per_request) == (150_000, 1, 10**10)
    assert found.budgets[0].amount_pico == 25_500_000_000_000


def test_a_routes_hedge_is_that_of_a_model_route() -> None:
    _, entry = a_key()
    routes = [{"name": "r", "models": [{"model": "small"}], "hedge": {"after": "Delay", "delay_ms": 200}}]
    (route,) = [
        one
        for one in objects_of(GatewayFile.model_validate(a_file("http://x", entry, routes=routes)))
        if one["kind"] == "ModelRoute"
    ]
    (rule,) = route_facts(route).rules
    assert rule.hedge == HedgeFacts(0.2)


def test_a_route_may_copy_go_by_headers_and_lead_through_several_models() -> None:
    _, entry = a_key()
    models = [{"name": name, "upstreams": ["local"]} for name in ("small", "Big", "judge")]
    inputs = [{"name": "prompt", "step": "first", "output": "text"}]
    steps = [{"name": "first", "model": "Big"}, {"name": "second", "model": "judge", "inputs": inputs}]
    routes = [
        {
            "name": "r",
            "models": [{"model": "small"}],
            "mirrors": [{"model": "Big", "percent": 10}],
            "by_header": [
                {"name": "x-tier", "value": "gold", "models": [{"model": "Big"}]},
                {"name": "x-any", "models": [{"model": "judge"}]},
            ],
        },
        {"name": "p", "pipeline": steps},
    ]
    text = yaml.safe_dump(a_file("http://x", entry, models=models, routes=routes))
    found = [route_facts(one) for one in objects_of(parse(text, "f")) if one["kind"] == "ModelRoute"]
    big = Ref("deployment", object_name("Big"))
    gold, named, rest = found[0].rules
    assert gold.matches == ((HeaderTest(b"x-tier", "Exact", b"gold"),),)
    assert named.matches == ((HeaderTest(b"x-any", "Present", b""),),)
    assert (gold.backends, rest.matches, rest.backends) == (((big, 1),), (), ((Ref("deployment", "small"), 1),))
    assert gold.mirrors == rest.mirrors == ((big, 10),)
    (rule,) = found[1].rules
    judged = Ref("deployment", "judge")
    assert rule.pipeline == (StepFacts("first", big), StepFacts("second", judged, (("prompt", "first", "text"),)))


def test_ids_stay_when_amounts_change() -> None:
    first, second = (snapshot(limits=[LIMIT | {"amount": amount}]).limits[0].id for amount in (1, 2))
    assert first == second


@pytest.mark.parametrize(
    ("project", "key", "may"),
    [
        (None, None, None),
        (["small"], None, ["small"]),
        (None, ["r"], ["r"]),
        (["small", "r"], ["r"], ["r"]),
        (["small"], ["r"], []),
    ],
)
def test_a_key_calls_what_project_and_key_both_allow(project: Any, key: Any, may: Any) -> None:
    _, entry = a_key()
    routes = [{"name": "r", "models": [{"model": "small"}]}]
    found = snapshot(routes=routes, projects=[{"name": "a", "models": project, "keys": [entry | {"models": key}]}])
    assert found.keys[0].models == may


@pytest.mark.parametrize(("said", "found"), [({}, "standard"), ({"priority": "batch"}, "batch")])
def test_a_key_has_the_priority_of_the_file(said: dict[str, str], found: str) -> None:
    _, entry = a_key()
    (key,) = snapshot(projects=[{"name": "a", "keys": [entry | said]}]).keys
    assert key.priority == found


def test_a_key_may_stay_outside_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fresh_key(b"")
    monkeypatch.setenv("TEAM_KEY", made.text)
    projects = [{"name": "a", "keys": [{"name": "k", "key": {"env": "TEAM_KEY"}}]}]
    assert (snapshot(projects=projects).keys[0].id, snapshot(projects=projects).keys[0].digest) == (
        made.id,
        made.digest,
    )
    monkeypatch.setenv("TEAM_KEY", "sk-1234")
    with pytest.raises(SecretMissingError, match=r"the key 'k': is no key of the form mzk_\.\.\.") as refused:
        snapshot(projects=projects)
    assert "sk-1234" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "protocol", "path", "sent", "authority"),
    [
        ("http://h", "OpenAI", "/v1/models", "/v1/models", "h"),
        ("http://h:8000/v1/", "OpenAI", "/v1/models", "/v1/models", "h:8000"),
        ("http://h/openai/v1", "OpenAI", "/v1/models", "/openai/v1/models", "h"),
        ("http://h/v1beta/openai", "OpenAI", "/v1/models", "/v1beta/openai/models", "h"),
        ("http://h/openai/v1", "OpenAI", "/classify", "/openai/classify", "h"),
        ("http://h:80/t", "OpenInference", "/v2/models/m", "/t/v2/models/m", "h"),
        ("http://[::1]:9/v1", "OpenAI", "/v1/models", "/v1/models", "[::1]:9"),
    ],
)
def test_an_upstream_is_reached_below_its_url(url: str, protocol: str, path: str, sent: str, authority: str) -> None:
    upstreams = [{"name": "local", "url": url, "protocol": protocol}]
    (dial,) = dials_of(GatewayFile.model_validate(a_file("", upstreams=upstreams)), Path()).values()
    assert (dial.aim(EngineRequest(path)).path, dial.authority, dial.tls) == (sent, authority, None)


def test_an_upstream_is_asked_over_grpc_where_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-upstream\n")
    told = {"protocol": "OpenInference", "grpc_url": "https://grpc.example.com:8001", "api_key": {"file": "key"}}
    upstreams = [{"name": "local", "url": "https://api.example.com", **told}]
    file = GatewayFile.model_validate(a_file("", upstreams=upstreams))
    (_, document) = objects_of(file)
    ((endpoint,), dials) = endpoint_set_facts(document).endpoints, dials_of(file, tmp_path)
    http, over_grpc = (dials[endpoint.address, port] for port in (endpoint.port, endpoint.grpc_port or 0))
    assert (http.host, http.port, over_grpc.host, over_grpc.port) == ("api.example.com", 443, "grpc.example.com", 8001)
    assert over_grpc.headers == (("authorization", "Bearer sk-upstream"),)
    assert over_grpc.trusted == ""


def test_a_key_of_an_upstream_goes_into_its_requests_alone(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-upstream\n")
    upstreams = [{"name": "local", "url": "https://api.example.com/v1", "api_key": {"file": "key"}}]
    file = GatewayFile.model_validate(a_file("", upstreams=upstreams))
    (dial,) = dials_of(file, tmp_path).values()
    assert dial.aim(EngineRequest("/v1/models")).headers == (("authorization", "Bearer sk-upstream"),)
    assert (dial.port, dial.trusted, dial.tls is not None) == (443, "", True)
    assert "sk-upstream" not in str(objects_of(file))
    (tmp_path / "key").write_text("sk\r\nx: y")
    with pytest.raises(SecretMissingError, match="more than one line"):
        dials_of(file, tmp_path)


def test_names_of_objects_are_those_of_models_as_far_as_they_may() -> None:
    assert object_name("small") == "small"
    assert object_name("GPT-4.1").startswith("gpt-4-1-")
    assert object_name("a.b") != object_name("a_b")


@pytest.mark.parametrize(
    ("kind", "zone", "start", "end"),
    [
        ("day", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("week", "UTC", "2026-03-23T00:00", "2026-03-30T00:00"),
        ("month", "Asia/Kathmandu", "2026-02-28T18:15", "2026-03-31T18:15"),
        ("rolling", "UTC", "2026-03-29T11:00", "2026-03-29T12:15"),
    ],
)
def test_periods_begin_at_midnight_of_the_zone(kind: str, zone: str, start: str, end: str) -> None:
    period = Window(BudgetWindow(kind), 3600, zone).period_of(NOON)
    assert (period.start.isoformat()[:16], period.end.isoformat()[:16]) == (start, end)


def test_the_example_and_the_files_of_the_how_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[4]
    file = read_file(root / "examples/gateway/gateway.yaml")
    monkeypatch.setenv("NIGHTLY_KEY", fresh_key(b"").text)
    monkeypatch.setenv("HOSTED_API_KEY", "sk-1")
    found = snapshot_of(file, root / "examples/gateway", 1, NOON)
    assert {one.name for one in found.projects} == {"team-a", "batch"}
    assert len(dials_of(file, root)) == 3
    first, *more = re.findall(r"```yaml\n(.*?)```", (root / "docs/how-to/gateway-alone.md").read_text(), re.DOTALL)
    _, entry = a_key()
    written = first.replace("id: key_...", f"id: {entry['id']}").replace(
        'digest: "..."', f'digest: "{entry["digest"]}"'
    )
    assert parse(written + "".join(more), "gateway.yaml").projects[0].limits[0].amount == 60


def test_spans_go_where_the_file_says(tmp_path: Path) -> None:
    _, entry = a_key()
    (tmp_path / "token").write_text("Bearer t\n")
    traces = {
        "url": "http://127.0.0.1:4318/v1/traces",
        "share": 0.5,
        "headers": [{"name": "authorization", "value": {"file": "token"}}],
        "ca": "ca.pem",
    }
    file = GatewayFile.model_validate(a_file("http://x", entry, traces=traces))
    assert trace_settings(file, tmp_path) == TraceSettings(
        "http://127.0.0.1:4318/v1/traces", (("authorization", "Bearer t"),), 0.5, prompts=False, ca=tmp_path / "ca.pem"
    )
    assert trace_settings(GatewayFile.model_validate(a_file("http://x", entry)), tmp_path) is None
