"""Mistakes in gateway.yaml are named with file, line, field, limit and remedy; nothing that is written is lost."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from mizzen_gateway.standalone import reading
from mizzen_gateway.standalone.reading import FileRefusedError, parse, read_file

RIGHT = """\
upstreams:
  - {name: local, url: http://127.0.0.1:8000/v1}
models:
  - name: small
    upstreams: [local]
projects:
  - name: team-a
    keys:
      - {name: laptop, id: key_aaaaaaaaaaaaaaaaaaaa, digest: DIGEST}
""".replace("DIGEST", "ab" * 32)
A_LIMIT = {"name": "l", "metric": "requests", "amount": 10, "per": "minute"}
A_PRICE = {"model": "*", "per_request": 1}
A_ROUTE = {"name": "r", "models": [{"model": "small"}]}
A_TRITON = {"name": "local", "url": "http://127.0.0.1:8000", "engine": "Triton", "protocol": "OpenInference"}
A_BUDGET = {"name": "b", "amount": 5, "window": "month"}


def two_steps(given: dict[str, str]) -> dict[str, Any]:
    first, then = ({"name": name, "model": "small"} for name in ("first", "then"))
    return {"name": "r", "pipeline": [first, then | {"inputs": [given]}]}


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(FileRefusedError) as refused:
        parse(text, "gateway.yaml")
    return str(refused.value).split("\n")


def changed(change: dict[str, Any]) -> str:
    document = yaml.safe_load(RIGHT)
    for path, value in change.items():
        place: Any = document
        *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in above:
            place = place[part]
        place[last] = value
    return yaml.safe_dump(document, sort_keys=False)


def test_a_small_file_is_enough() -> None:
    file = parse(RIGHT, "gateway.yaml")
    assert (file.listen.host, file.listen.port, file.limits_store.url) == ("127.0.0.1", 8480, "process")


@pytest.mark.parametrize("written", ["off", '"off"', "OFF"])
def test_off_is_off_with_and_without_quotes(written: str) -> None:
    more = f"""
access_log: {written}
overload: {{admission: {written}}}
limits:
  - {{name: l, metric: requests, amount: 10, per: minute, enforcement: {written}}}
budgets:
  - {{name: b, unit: tokens, amount: 10, window: day, enforcement: {written}}}
"""
    file = parse(RIGHT + more, "gateway.yaml")
    found = (file.access_log, file.overload.admission, file.limits[0].enforcement, file.budgets[0].enforcement)
    assert found == ("off",) * 4


@pytest.mark.parametrize("written", ["on", "2", "-0.1", "some", ".nan", "[off]"])
def test_a_share_of_the_access_log_is_told_in_one_sentence(written: str) -> None:
    (line,) = mistakes_in(f"{RIGHT}access_log: {written}\n")
    assert line == (
        "gateway.yaml:10: access_log: must be `off`, `all`, or a share of the requests from 0 to 1, such as 0.05"
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("small\n", "a/b\n", "gateway.yaml:4: models[0].name: may hold letters, digits"),
        ("[local]", "[loca]", "gateway.yaml:5: models[0].upstreams[0]: there is no upstream 'loca'; there are: local"),
        ("projects", "projekts", "gateway.yaml:6: projekts: unknown field; did you mean `projects`?"),
        (
            "http://127.0.0.1:8000/v1",
            "ftp://x",
            "gateway.yaml:2: upstreams[0].url: must begin with http:// or https://",
        ),
        ("http://127.0.0.1:8000/v1", "http://u:p@x/v1", "gateway.yaml:2: upstreams[0].url: must be scheme, host, port"),
        ("  - name: team-a\n", "  - name: team-a\n    name: b\n", "gateway.yaml:7: projects[0].name: is there twice"),
        ("upstreams:\n", "upstreams: [\n", "gateway.yaml:2: is no YAML"),
        (
            "[local]",
            "[local]\n    max_model_len: many",
            "gateway.yaml:6: models[0].max_model_len: must be a whole number",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, said: str) -> None:
    assert any(line.startswith(said) for line in mistakes_in(RIGHT.replace(before, after, 1)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"listen": {"workers": 2}}, "listen.workers: 2 workers must share their limits"),
        ({"listen": {"port": 8481}}, "listen: port, admin_port and grpc_port must differ"),
        ({"limits_store": {"url": "mysql://x"}}, "limits_store: url: 'mysql' is none of process, redis://"),
        ({"limits_store": {"url": "redis://x"}, "budgets": [A_BUDGET]}, "budgets[0]: a budget of this file is kept in"),
        (
            {"listen": {"workers": 1}, "budgets": [A_BUDGET]},
            "budgets[0]: a budget of this file is spent by one process",
        ),
        ({"time_zone": "Mars/North"}, "time_zone: there is no 'Mars/North'"),
        (
            {"upstreams.0.engine": "Triton"},
            "upstreams[0]: engine: Triton speaks the Open Inference Protocol: add `protocol: OpenInference`",
        ),
        (
            {"upstreams.0": A_TRITON | {"url": "http://127.0.0.1:8000/v2"}},
            "upstreams[0]: url: calls add /v2 themselves; leave it out",
        ),
        (
            {"routes": [two_steps({"name": "foo", "step": "first", "output": "text"})]},
            "routes[0].pipeline[1].inputs[0].name: a language model has no input 'foo'; write `prompt`",
        ),
        (
            {"routes": [two_steps({"name": "prompt", "step": "first", "output": "bar"})]},
            "routes[0].pipeline[1].inputs[0].output: a language model has no output 'bar'; write `text`",
        ),
        ({"models.0.name": "versions"}, "models[0].name: 'versions' is a word of the paths of /v2"),
        ({"models.0.aliases": ["small"]}, "another model, alias or route is called 'small' already"),
        ({"limits": [A_LIMIT, A_LIMIT]}, "limits[1].name: another limit is called 'l' already"),
        ({"limits": [A_LIMIT | {"model": "big"}]}, "limits[0].model: there is no model 'big'; there are: small"),
        ({"limits": [A_LIMIT | {"per": None}]}, "limits[0]: must have either `per` or `per_seconds`"),
        ({"limits": [A_LIMIT | {"metric": "concurrency"}]}, "limits[0]: concurrency has no time"),
        ({"limits": [A_LIMIT | {"amount": 1.5}]}, "limits[0]: amount must be a whole number of requests"),
        ({"limits": [A_LIMIT | {"amount": 0}]}, "limits[0].amount: must be more than 0"),
        ({"budgets": [A_BUDGET | {"window": "rolling"}]}, "budgets[0]: `window: rolling` needs its length: add window"),
        (
            {"budgets": [A_BUDGET | {"window_seconds": 900}]},
            "budgets[0]: window_seconds belongs to `window: rolling` al",
        ),
        (
            {"budgets": [A_BUDGET | {"window": "rolling", "window_seconds": 1000}]},
            "budgets[0].window_seconds: must be a multiple of 900; it is `1000`",
        ),
        (
            {"limits": [A_LIMIT | {"amount": "$5"}]},
            "limits[0].amount: must be a number, but it is text: `$5`; write the number alone: 5",
        ),
        ({"timeouts": {"first_byte": "10m"}}, "but it is text: `10m`; write seconds as a number alone: 600"),
        ({"max_body_bytes": "64MiB"}, "but it is text: `64MiB`; write bytes as a number alone: 67108864"),
        (
            {"models.0.idle_seconds": "long"},
            "idle_seconds: must be a number, but it is text: `long`; write a number of s",
        ),
        ({"upstreams.0.engine": "Ollama"}, "vLLM, Triton, OpenAI, Other, but it is `Ollama`; any other is `Other`"),
        ({"upstreams.0.engine": "vlm"}, "did you mean `vLLM`?"),
        (
            {"routes": [{"name": "r", "models": ["m"]}]},
            "routes[0].models[0]: must be a map of fields, but it is text; write {model: ...}",
        ),
        ({"models.0.wait_seconds": float("inf")}, "models[0].wait_seconds: must be a finite number; it is `inf`"),
        ({"projects.0.keys.0.id": "key_..."}, "keys[0].id: must be `key_` and 20 characters, as `mizzen gateway key`"),
        ({"projects.0.keys.0": {"name": "k", "key": "mzk_abc"}}, "keys[0].key: never stands in the file"),
        ({"currency": "euros"}, "currency: must be a currency's code of three capital letters, such as EUR"),
        (
            {"upstreams.0.url": "https://x/v1/chat/completions"},
            "url: is the path of one call; end it where all of them",
        ),
        ({"limits_store": {"url": "redis://:pass@127.0.0.1"}}, "url: holds a password; say in `password` where it is"),
        ({"prices": [{"per_million_input_tokens": "0.1234567"}]}, "must have at most 6 digits after the point"),
        ({"budgets": [A_BUDGET | {"amount": 10**10}]}, "budgets[0]: amount must be at most 9000000 of money"),
        (
            {"budgets": [A_BUDGET | {"unit": "accelerator_seconds"}]},
            "budgets of accelerator_seconds are not held by a gateway that runs alone",
        ),
        ({"prices": [{"model": "big"}]}, "prices[0].model: there is no model 'big'; there are: small"),
        ({"prices": [{"per_million_input_tokens": "0.1234567"}]}, "prices[0].per_million_input_tokens"),
        ({"prices": [A_PRICE, A_PRICE | {"per_request": 3}]}, "prices[1]: prices[0] is of '*' already; keep one"),
        (
            {"prices": [A_PRICE | {"project": "team-a"}, A_PRICE, A_PRICE | {"project": "team-a"}]},
            "prices[2]: prices[0] is of '*' for the project 'team-a' already",
        ),
        ({"budgets": [A_BUDGET]}, "budgets[0]: is of money, but nothing that it counts has a price"),
        ({"limits": [A_LIMIT | {"metric": "cost"}]}, "limits[0]: is of money, but nothing that it counts has a price"),
        (
            {"routes": [{"name": "r", "models": [{"model": "small", "weight": 0}]}]},
            "routes[0].models: every weight is 0",
        ),
        (
            {"routes": [{"name": "r", "models": [{"model": "big"}]}]},
            "routes[0].models[0].model: there is no model 'big'",
        ),
        ({"routes": [{"name": "r"}]}, "routes[0]: must have either `models`"),
        (
            {"routes": [A_ROUTE | {"mirrors": [{"model": "big"}]}]},
            "routes[0].mirrors[0].model: there is no model 'big'",
        ),
        (
            {"routes": [A_ROUTE | {"by_header": [{"name": "x-a", "models": [{"model": "big"}]}]}]},
            "routes[0].by_header[0].models[0].model: there is no model 'big'",
        ),
        (
            {"routes": [A_ROUTE | {"by_header": [{"name": "authorization", "models": [{"model": "small"}]}]}]},
            "headers that carry credentials cannot be matched",
        ),
        (
            {"routes": [{"name": "r", "pipeline": [{"name": "a", "model": "small"}], "sticky": True}]},
            "routes[0].sticky",
        ),
        (
            {
                "routes": [
                    {
                        "name": "r",
                        "pipeline": [
                            {
                                "name": "a",
                                "model": "small",
                                "inputs": [{"name": "prompt", "step": "b", "output": "text"}],
                            }
                        ],
                    }
                ]
            },
            "routes[0]: pipeline",
        ),
        ({"projects.0.models": ["big"]}, "projects[0].models[0]: there is no model or route 'big'"),
        ({"projects.0.keys.0": {"name": "k"}}, "projects[0].keys[0]: must have `id` and `digest`"),
        ({"upstreams.0.api_key": "sk-1"}, "upstreams[0].api_key: never stands in the file: write {env: NAME}"),
        ({"upstreams.0.api_key": {"env": "A", "file": "b"}}, "must have either `env` or `file`"),
        ({"upstreams.0": {"name": "local", "url": "http://far", "api_key": {"env": "A"}}}, "would travel unencrypted"),
        ({"upstreams.0.ca_file": "ca.pem"}, "ca_file belongs to an https:// url"),
        ({"upstreams.0.grpc_url": "http://127.0.0.1:8001"}, "grpc_url belongs to `protocol: OpenInference`"),
        ({"upstreams.0.grpc_url": "http://127.0.0.1:8001/v2"}, "must be scheme, host and port alone"),
        ({"media_hosts": ["a.example.com", "10.0.0.1"]}, "media_hosts: '10.0.0.1' is an address"),
        ({"traces": {"url": "collector:4317"}}, "traces.url: is no URL of OTLP over HTTP; name the collector"),
        ({"forward_headers": ["X-Upper"]}, "forward_headers[0]: must be the name of a header in lower case"),
    ],
)
def test_what_does_not_hold_together_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    assert said in "\n".join(mistakes_in(changed(change)))


@pytest.mark.parametrize(
    ("place", "price", "right"),
    [
        ("budgets", {"model": "small"}, True),
        ("budgets", {"model": "small", "project": "team-b"}, True),
        ("projects.0.budgets", {"model": "*", "project": "team-a"}, True),
        ("projects.0.budgets", {"model": "*", "project": "team-b"}, False),
        ("projects.0.keys.0.budgets", {"model": "*", "project": "team-b"}, False),
        ("models.0.budgets", {"model": "small"}, True),
        ("models.0.budgets", {"model": "big"}, False),
    ],
)
def test_a_budget_of_money_needs_a_price_of_what_it_counts(place: str, price: dict[str, Any], right: bool) -> None:
    text = changed(
        {
            "models": [{"name": name, "upstreams": ["local"]} for name in ("small", "big")],
            "projects": [*yaml.safe_load(RIGHT)["projects"], {"name": "team-b"}],
            place: [A_BUDGET],
            "prices": [price],
        }
    )
    if right:
        parse(text, "gateway.yaml")
    else:
        assert "is of money" in "\n".join(mistakes_in(text))


@pytest.mark.parametrize(
    "change",
    [
        {"upstreams.0": A_TRITON},
        {"upstreams.0": A_TRITON | {"protocol": "OpenAI"}},
        {"routes": [two_steps({"name": "prompt", "step": "first", "output": "text"})]},
        {"upstreams.0": A_TRITON, "routes": [two_steps({"name": "foo", "step": "first", "output": "bar"})]},
    ],
)
def test_what_a_server_of_tensors_has_is_its_own_to_say(change: dict[str, Any]) -> None:
    assert parse(changed(change), "gateway.yaml").upstreams[0].name == "local"


def test_prices_of_a_model_and_of_all_may_stand_beside_each_other() -> None:
    prices = [A_PRICE, A_PRICE | {"model": "small"}, A_PRICE | {"model": "small", "project": "team-a"}]
    assert len(parse(changed({"prices": prices}), "gateway.yaml").prices) == 3


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match=r"absent\.yaml: there is no such file; name yours with --config"):
        read_file(tmp_path / "absent.yaml")


def test_a_secret_is_never_repeated() -> None:
    lines = mistakes_in(changed({"upstreams.0.api_key": {"env": "A", "value": "sk-secret"}}))
    assert "sk-secret" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: b: c", "gateway.yaml:10: is no YAML: mapping values are not allowed"),
        ("a: [1, 2\nb: 3", "gateway.yaml:11: is no YAML: "),
        ("a:\n  - b\n  - " + "[" * 100_000, "gateway.yaml:12: has more than 64 levels"),
        ("a: b\nc: \0", "gateway.yaml:11: is no text: holds a control character; save it as plain text in UTF-8"),
        ("a: &x [*x]", "gateway.yaml: has an alias"),
        ("a: 2026-13-45", "gateway.yaml: is no YAML: a date or number cannot be one (month must be in 1..12"),
        ("a: b\n---\nc: d", "gateway.yaml:11: is no YAML: but found another document"),
    ],
)
def test_what_is_no_yaml_is_a_sentence_with_its_line(written: str, said: str) -> None:
    (line,) = mistakes_in(f"{RIGHT}{written}\n")
    assert line.startswith(said)


def test_a_file_is_read_by_libyaml_where_it_is_there() -> None:
    assert reading.LOADER is (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    assert yaml.__with_libyaml__, "wheels of PyYAML have it"
