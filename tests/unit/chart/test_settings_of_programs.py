"""Which settings of the programs can a values.yaml set? All that are not left out here, with the reason.

What the chart renders is read from its golden files, which `make test-cluster` holds to the chart itself.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mizzen_controlplane.kit.settings import SmtpSettings
from mizzen_controlplane.kit.settings import settings_from as controlplane_settings
from mizzen_gateway.limits.choice import StoreSettings
from mizzen_gateway.protocols.openai.held_file import HELD_BYTES
from mizzen_gateway.settings import TraceSettings
from mizzen_gateway.settings import read_settings as gateway_settings
from mizzen_operator.settings import settings_from as operator_settings

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "chart"
PROGRAMS: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
    "operator": operator_settings,
    "controlplane": controlplane_settings,
    "gateway": gateway_settings,
}
each_program = pytest.mark.parametrize("program", PROGRAMS)

PLACES = "where files of the pod are: volumes of the chart"
PORTS = "ports of the pod, which Services and NetworkPolicies name: values have the Services' ports"
KUBERNETES = "in a cluster deployments are custom resources"
ACCOUNTS = "service accounts of the chart"
SELF = "the pod's own name or namespace"
LEASE = "of leader election and resyncs: tuned together with the code; operator.extraEnv for those who must"
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "operator": {
        "MIZZEN_HOST": PORTS,
        "MIZZEN_PORT": PORTS,
        "MIZZEN_TOKEN_FILE": PLACES,
        "MIZZEN_NAMESPACE": SELF,
        "MIZZEN_POD_NAME": SELF,
        "MIZZEN_LEASE_NAME": "the release's name",
        "MIZZEN_GATEWAY_SUBJECT": ACCOUNTS,
        "MIZZEN_REGISTRY_URL": "the control plane is the registry",
        "MIZZEN_RESYNC_SECONDS": LEASE,
        "MIZZEN_COMPARE_SECONDS": LEASE,
        "MIZZEN_LEASE_SECONDS": LEASE,
        "MIZZEN_LEASE_RENEW_SECONDS": LEASE,
        "MIZZEN_LEASE_MARGIN_SECONDS": LEASE,
    },
    "controlplane": {
        "MIZZEN_HOST": PORTS,
        "MIZZEN_PORT": PORTS,
        "MIZZEN_DATA_DIR": PLACES,
        "MIZZEN_SECRETS_DIR": PLACES,
        "MIZZEN_PODS_DIR": "in a cluster logs are with the API server",
        "MIZZEN_NAMESPACE": SELF,
        "MIZZEN_STORE": KUBERNETES,
        "MIZZEN_GATEWAY_SUBJECT": ACCOUNTS,
        "MIZZEN_OPERATOR_SUBJECT": ACCOUNTS,
        "MIZZEN_MAX_BODY_BYTES": "of calls that do not stream, and no document of the API comes near it",
    },
    "gateway": {
        "MIZZEN_HOST": PORTS,
        "MIZZEN_PORT": PORTS,
        "MIZZEN_ADMIN_PORT": PORTS,
        "MIZZEN_DATA_DIR": PLACES,
        "MIZZEN_TOKEN_FILE": PLACES,
        "MIZZEN_OPERATOR_TOKEN_FILE": PLACES,
        "MIZZEN_PEPPER_FILE": PLACES,
        "MIZZEN_GATEWAY_NAME": SELF,
        "MIZZEN_DISCOVERY": KUBERNETES,
        "MIZZEN_WORKERS": "in a cluster replicas are the workers: each has a core and a budget of its own",
        "MIZZEN_ENDPOINT_PICKER_HOST": "how a cluster's DNS names Services",
    },
}
"""Settings that no value sets, by program."""
READ_ELSEWHERE = {"MIZZEN_LOG_LEVEL"}
"""Before there are settings."""


class Environment(dict[str, str]):
    """Remembers what it was asked for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Asked for, there or not."""
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)


def variables() -> dict[str, list[dict[str, str]]]:
    """Of each program's container, one mapping for each set of values; what a reference gives is its text."""
    found: dict[str, list[dict[str, str]]] = {program: [] for program in PROGRAMS}
    for golden in sorted(GOLDEN.glob("*.yaml")):
        for one in yaml.load_all(golden.read_text(), yaml.CSafeLoader):
            if one and one["kind"] in ("Deployment", "StatefulSet"):
                [container] = one["spec"]["template"]["spec"]["containers"]
                found[container["name"]].append(
                    {each["name"]: str(each.get("value", each.get("valueFrom"))) for each in container["env"]}
                )
    return found


RENDERED = variables()


def asked_by(program: str, folder: Path) -> tuple[set[str], Any]:
    """The variables that a program reads where everything is switched on, and its settings then."""
    richest = max(RENDERED[program], key=len)
    environment = Environment({name: on_this_machine(text, folder) for name, text in richest.items()})
    settings = PROGRAMS[program](environment)
    return {name for name in environment.asked if name.startswith("MIZZEN_")} | READ_ELSEWHERE, settings


def on_this_machine(text: str, folder: Path) -> str:
    """A file of the pod is one here."""
    if not text.startswith("/run/mizzen/"):
        return text
    path = folder / text.removeprefix("/run/mizzen/")
    if path.suffix or path.name in ("token", "pepper", "password", "headers"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "a: b" if path.name == "headers" else "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
        )
    return str(path)


def settable(program: str) -> set[str]:
    """Variables that are not the same in every render."""
    renders = RENDERED[program]
    return {name for one in renders for name in one if len({render.get(name) for render in renders}) > 1}


@each_program
def test_every_setting_has_a_value_or_a_reason_to_have_none(program: str, tmp_path: Path) -> None:
    asked, _ = asked_by(program, tmp_path)
    without = asked - settable(program) - (READ_ELSEWHERE if program == "controlplane" else set())
    assert without == set(LEFT_OUT[program]), "a setting without a value, or a reason that is none any more"


@each_program
def test_the_chart_sets_no_variable_that_its_program_does_not_read(program: str, tmp_path: Path) -> None:
    asked, _ = asked_by(program, tmp_path)
    given = {name for one in RENDERED[program] for name in one if name.startswith("MIZZEN_")}
    assert given <= asked


def test_what_values_say_of_the_gateway_is_what_it_reads(tmp_path: Path) -> None:
    _, read = asked_by("gateway", tmp_path)
    assert (read.batch_lines, read.batch_busy_from, read.body_bytes) == (0, 2, 1 << 30)
    seconds = (read.first_byte_seconds, read.header_seconds, read.body_seconds, read.write_stall_seconds)
    assert (*seconds, read.idle_seconds) == (1200, 5, 60, 30, 120.5)
    assert (read.spool_fsync_seconds, read.engine_gauges_seconds, read.access_log_share) == (0, 0, 0.25)
    assert read.forwarded_headers == ("x-tenant", "x-region")
    assert read.media_hosts == {"images.example.com", "cdn.example.org"}
    authority = "/run/mizzen/limits-ca/ca.crt"
    assert read.limits == StoreSettings(
        f"rediss://limits@redis.databases:6380?ca={authority}", read.limits.password, hold_seconds=90.5
    )
    assert read.traces == TraceSettings(
        "https://collector.example.com/v1/traces", (("a", "b"),), 0, prompts=True, ca=tmp_path / "traces-ca" / "ca.crt"
    )


def test_the_volume_for_temporary_files_is_larger_than_all_files_that_a_gateway_holds() -> None:
    """Were it not, callers could have the pod evicted by sending forms whose file comes before its model."""
    found = []
    for golden in sorted(GOLDEN.glob("*.yaml")):
        for one in yaml.load_all(golden.read_text(), yaml.CSafeLoader):
            if one and one["kind"] in ("Deployment", "StatefulSet"):
                pod = one["spec"]["template"]["spec"]
                if pod["containers"][0]["name"] == "gateway":
                    found += [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "tmp"]
    assert found
    assert set(found) == {f"{HELD_BYTES * 5 // 4 >> 20}Mi"}


def test_what_values_say_of_the_control_plane_is_what_it_reads(tmp_path: Path) -> None:
    _, read = asked_by("controlplane", tmp_path)
    assert read.files_key_file == tmp_path / "files-key" / "files-key"
    assert (read.files_max_bytes, read.files_project_bytes, read.files_days) == (1 << 30, 100 << 30, 7)
    assert (read.batch_max_lines, read.upload_stall_seconds) == (100_000, 120)
    assert (read.session_idle_seconds, read.session_seconds) == (3600, 86_400)
    assert (read.requests_per_second, read.refusals_per_minute) == (200, 60)
    assert [str(network) for network in read.trusted_proxies] == ["10.0.0.0/8", "2001:db8::/32"]


def test_what_values_say_of_audit_egress_and_e_mail_is_what_the_control_plane_reads(tmp_path: Path) -> None:
    _, read = asked_by("controlplane", tmp_path)
    assert read.named_secrets == {
        name: tmp_path / name / name for name in ("files-key", "audit-key", "audit-sink-token", "sealing-key")
    }
    assert read.audit_sink == "https://anchors.example.com:8443/mizzen"
    assert (read.audit_anchor_seconds, read.audit_keep_days) == (10, 400)
    assert read.egress_trusted == "mlflow.internal:5000,10.20.0.0/16,2001:db8::5"
    assert (read.egress_only, read.egress_resolver) == ("*.example.org,huggingface.co", "10.0.0.53")
    assert (read.hub_url, read.import_max_bytes) == ("https://hub.example.com", 1 << 40)
    password = tmp_path / "smtp" / "password"
    assert read.smtp == SmtpSettings("mail.example.com", "mizzen@example.com", 4650, "tls", "mizzen", password)


def test_ports_that_settings_of_the_control_plane_name_are_open_in_its_policy_and_no_part_of_an_address_is() -> None:
    every = yaml.load_all((GOLDEN / "everything.yaml").read_text(), yaml.CSafeLoader)
    [policy] = [
        one for one in every if one["kind"] == "NetworkPolicy" and one["metadata"]["name"].endswith("controlplane")
    ]
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", ())}
    assert ports == {53, 443, 6432, 8443, 5000, 4650}, "DNS, API server, database; the sink, MLflow and the mail server"
