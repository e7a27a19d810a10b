"""What does the chart render? Golden files for some sets of values; every object as the API server describes its kind.

`make golden-chart` writes the golden files anew; read the difference before you commit it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.build import built
from support.chart import (
    CHART,
    DEFINITIONS,
    NAMESPACE,
    RELEASE,
    HelmRefusedError,
    documents,
    helm,
    pod_templates,
    rendered,
)
from support.served_schemas import LOCATION

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "chart"
BEFORE = Path(__file__).resolve().parents[2] / "releases" / "0.2.0-rc.1" / "charts" / "mizzen"
NEEDED = {("controlplane", "tls", "secretName"), ("operator", "tls", "secretName")}
"""Newer than the release before, and yet never taken away alone: without it the program would speak HTTP."""
SETS = sorted(path.stem for path in (GOLDEN / "values").glob("*.yaml"))
every_set = pytest.mark.parametrize("values", SETS)
PLUGGED_IN = ("ServiceMonitor", "PrometheusRule")
"""Kinds of the Prometheus operator, which this API server does not have."""


def render(home: Path, values: str) -> str:
    return rendered(home, "--values", GOLDEN / "values" / f"{values}.yaml")


@every_set
def test_the_render_is_the_golden_one(tmp_path: Path, values: str) -> None:
    golden, text = GOLDEN / f"{values}.yaml", render(tmp_path, values)
    if os.environ.get("MIZZEN_WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text(), f"{golden} differs; `make golden-chart` writes it anew"


@every_set
def test_a_render_without_a_cluster_is_the_same_each_time(tmp_path: Path, values: str) -> None:
    assert render(tmp_path, values) == render(tmp_path, values)


@pytest.mark.parametrize("chart", [CHART, DEFINITIONS], ids=["mizzen", "mizzen-crds"])
def test_lint_finds_nothing(tmp_path: Path, chart: Path) -> None:
    said = helm("lint", "--strict", chart, home=tmp_path)
    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said


@every_set
def test_every_object_is_as_the_api_server_describes_its_kind(
    tmp_path: Path, served_schemas: Path, values: str
) -> None:
    done = subprocess.run(
        [
            built("kubeconform")["kubeconform"],
            "-strict",
            "-summary",
            "-skip",
            ",".join(PLUGGED_IN),
            "-schema-location",
            f"{served_schemas}/{LOCATION}",
        ],
        input=render(tmp_path, values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0" in done.stdout


@every_set
def test_no_render_holds_the_content_of_a_secret(tmp_path: Path, values: str) -> None:
    found = [each for each in documents(render(tmp_path, values)) if each["kind"] == "Secret"]
    assert not any(each.get("data") or each.get("stringData") for each in found)


@every_set
def test_no_container_may_write_its_root_or_gain_rights(tmp_path: Path, values: str) -> None:
    for template in pod_templates(documents(render(tmp_path, values))):
        spec = template["spec"]
        assert spec["enableServiceLinks"] is False
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]


def test_the_rules_are_those_of_the_published_files(tmp_path: Path) -> None:
    roles = [each for each in documents(rendered(tmp_path)) if each["kind"] in ("Role", "ClusterRole")]
    granted = {(each["kind"], each["metadata"]["name"].rpartition("-")[2]): each["rules"] for each in roles}
    for program in ("operator", "controlplane", "gateway"):
        published = yaml.safe_load((CHART / "files" / "rbac" / f"{program}.yaml").read_text())
        for kind, scope in (("ClusterRole", "cluster"), ("Role", "namespace")):
            wanted = [{name: part for name, part in rule.items() if name != "why"} for rule in published[scope]]
            for rule in wanted:
                names = rule.get("resourceNames", [])
                rule.update(
                    {
                        "resourceNames": [
                            name.replace("$SECRET", "mizzen-secrets").replace("$NAME", "mizzen") for name in names
                        ]
                    }
                    if names
                    else {}
                )
            assert granted.get((kind, program), []) == wanted


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("controlplane.replicas=2", "SQLite has one writer"),
        ("gateway.replica=2", "additional properties 'replica' not allowed"),
        ("gateway.spool.persistence=disk", "spool/persistence"),
        ("controlplane.currency=euro", "currency"),
        ("fetch.privateStores[0].cidr=10.0.0.0/8", "ports"),
        ("fetch.privateStores[0].ports={9000}", "privateStores/0"),
        ("gateway.ingress.enabled=true", "gateway.ingress.host is needed"),
        ("controlplane.tls.caSecretName=ca", "controlplane.tls.secretName is empty"),
        ("operator.tls.caSecretName=ca", "operator.tls.secretName is empty"),
        ("gateway.autoscaling.minReplicas=11", "minReplicas is 11 and maxReplicas is 10: set minReplicas"),
        ("gateway.resources.requests.cpu=null", "gateway.resources.requests.cpu is missing"),
        ("gateway.resources.requests.cpu=100x", "/gateway/resources/requests/cpu"),
        ("operator.resources.limits.memory=-1Gi", "/operator/resources/limits/memory"),
        ("image.tag=a b", "/image/tag"),
        ("image.overrides.operator=registry.example.com:5000/operator", "/image/overrides/operator"),
        ("image.overrides.gateway=a@sha256:12", "/image/overrides/gateway"),
        ("image.overrides.cli=a:1", "additional properties 'cli' not allowed"),
        ("operator.podLabels.app\\.kubernetes\\.io/name=other", "/operator/podLabels/app.kubernetes.io"),
        ("gateway.extraEnv[0].name=A", "/gateway/extraEnv/0"),
        ("networkPolicy.apiServerPorts=null", "missing property 'apiServerPorts'"),
        ("networkPolicy=null", "missing property 'networkPolicy'"),
        ("networkPolicy.callers[0].podselector.a=b", "/networkPolicy/callers/0"),
        ("networkPolicy.managers[0].ipBlock.cidr=10.0.0.0", "/networkPolicy/managers/0/ipBlock/cidr"),
        ("gateway.tolerations[0].effect=NoSchedules", "/gateway/tolerations/0/effect"),
        ("gateway.affinity.nodesAffinity.a=b", "/gateway/affinity"),
        ("runtimes.vllm.env[0].name=A B,runtimes.vllm.env[0].value=c", "/runtimes/vllm/env/0/name"),
        (
            "gateway.ingress.enabled=true,gateway.ingress.host=a.example,gateway.tls.secretName=tls",
            "gateway.ingress.backendProtocol is HTTP, but gateway.tls.secretName makes the gateway speak HTTPS",
        ),
        (
            "gateway.ingress.enabled=true,gateway.ingress.host=a.example,gateway.ingress.backendProtocol=HTTPS",
            "gateway.ingress.backendProtocol is HTTPS, but gateway.tls.secretName is empty",
        ),
        ("gateway.grpc.enabled=true,gateway.grpc.port=80", "are both 80: set two different ones"),
        ("gateway.spool.maxBytes=3435973837", "at most 3435973836 (80 % of gateway.spool.size, 4Gi)"),
        ("gateway.traces.url=collector:4317", "/gateway/traces/url"),
        ("gateway.traces.url=http://collector:4318", "/gateway/traces/url"),
        ("gateway.traces.share=5", "/gateway/traces/share"),
        (
            "gateway.traces.ca.configMap=a,gateway.traces.ca.secret=b",
            "gateway.traces.ca.configMap and gateway.traces.ca.secret",
        ),
        ("gateway.limits.ca.secret=A_B", "/gateway/limits/ca/secret"),
        ("gateway.mediaHosts={https://a.example}", "/gateway/mediaHosts/0"),
        ("gateway.timeouts.idleSeconds=5", "additional properties 'idleSeconds' not allowed"),
        ("gateway.accessLogShare=2", "/gateway/accessLogShare"),
        ("controlplane.files.key=secret", "additional properties 'key' not allowed"),
        ("controlplane.files.days=0", "/controlplane/files/days"),
        ("controlplane.audit.sink=file:///mnt", "/controlplane/audit/sink"),
        ("controlplane.audit.sink=https://a.example,controlplane.audit.sinkClaim=b", "name one, and empty the other"),
        ("controlplane.smtp.host=mail", "controlplane.smtp.host and controlplane.smtp.from go together"),
        ("controlplane.smtp.user=a", "controlplane.smtp.passwordSecret.name go together"),
        ("controlplane.smtp.password=a", "additional properties 'password' not allowed"),
        ("controlplane.sealing.key=secret", "additional properties 'key' not allowed"),
        ("gateway.spool.size=10Mi", "gateway.spool.size is 10Mi, at least 20Mi are needed"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(tmp_path: Path, setting: str, sentence: str) -> None:
    with pytest.raises(HelmRefusedError) as refused:
        rendered(tmp_path, "--set", setting)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("size", "bytes_"),
    [
        ("1Gi", "858993459"),
        ("1.5Gi", "1288490188"),
        ("20Mi", "16777216"),
        ("2G", "1600000000"),
        ("100000k", "80000000"),
        ("2Ti", "1759218604441"),
        ("50000000", "40000000"),
    ],
)
def test_the_spool_closes_at_four_fifths_of_its_volume(tmp_path: Path, size: str, bytes_: str) -> None:
    every = documents(rendered(tmp_path, "--set-string", f"gateway.spool.size={size}"))
    [template] = [each for each in pod_templates(every) if each["of"] == "mizzen-gateway"]
    environment = {each["name"]: each.get("value") for each in template["spec"]["containers"][0]["env"]}
    assert environment["MIZZEN_SPOOL_MAX_BYTES"] == bytes_


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://collector.monitoring:4318/v1/traces", 4318),
        ("https://collector.example.com/v1/traces", 443),
        ("http://collector/v1/traces", 80),
    ],
)
def test_gateways_may_reach_the_collector_of_spans(tmp_path: Path, url: str, port: int) -> None:
    every = documents(rendered(tmp_path, "--set", f"gateway.traces.url={url}"))
    [policy] = [one for one in every if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", "mizzen-gateway")]
    assert {"ports": [{"protocol": "TCP", "port": port}]} in policy["spec"]["egress"]


@pytest.mark.parametrize(
    ("store", "url"),
    [
        ("rediss://redis:6380", "rediss://redis:6380?ca="),
        ("postgresql://db/limits?sslmode=verify-full", "postgresql://db/limits?sslmode=verify-full&sslrootcert="),
    ],
)
def test_the_authority_of_the_store_of_limits_is_a_file_of_the_pod(tmp_path: Path, store: str, url: str) -> None:
    every = documents(rendered(tmp_path, "--set", f"gateway.limits.store={store},gateway.limits.ca.configMap=trusted"))
    [template] = [each for each in pod_templates(every) if each["of"] == "mizzen-gateway"]
    [container] = template["spec"]["containers"]
    [given] = [each["value"] for each in container["env"] if each["name"] == "MIZZEN_LIMITS_STORE"]
    [mount] = [each for each in container["volumeMounts"] if each["name"] == "limits-ca"]
    assert given == f"{url}{mount['mountPath']}/ca.crt"
    [volume] = [each for each in template["spec"]["volumes"] if each["name"] == "limits-ca"]
    assert volume["configMap"]["name"] == "trusted"


def test_no_value_of_a_secret_stands_in_a_pod(tmp_path: Path) -> None:
    every = documents(render(tmp_path, "everything"))
    for template in pod_templates(every):
        for container in template["spec"]["containers"]:
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            files = [each for each in container["env"] if each["name"].endswith(("_FILE", "_CA"))]
            assert all(str(Path(each["value"]).parent) in mounted for each in files)
    [key] = [
        volume
        for template in pod_templates(every)
        for volume in template["spec"]["volumes"]
        if volume["name"] == "files-key"
    ]
    assert key["secret"]["items"] == [{"key": "current", "path": "files-key"}]


def test_the_dashboard_in_the_cluster_is_the_published_file(tmp_path: Path) -> None:
    every = documents(rendered(tmp_path, "--set", "monitoring.dashboards.enabled=true"))
    [found] = [one for one in every if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "mizzen-dashboard")]
    assert found["data"] == {"mizzen.json": (CHART / "files" / "dashboard.json").read_text()}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_ingress_of_the_control_plane_publishes_what_people_use_and_no_more(tmp_path: Path) -> None:
    settings = "controlplane.ingress.enabled=true,controlplane.ingress.host=mizzen.example"
    ingress = next(one for one in documents(rendered(tmp_path, "--set", settings)) if one["kind"] == "Ingress")
    (rule,) = ingress["spec"]["rules"]
    published = {(one["path"], one["pathType"]) for one in rule["http"]["paths"]}
    assert published == {("/api", "Prefix"), ("/healthz", "Exact")}


def test_a_release_and_a_namespace_may_be_named_like_numbers(tmp_path: Path) -> None:
    every = documents(helm("template", "1e3", CHART, "--namespace", "1000", home=tmp_path))
    assert {each["metadata"].get("namespace", "1000") for each in every} == {"1000"}
    assert {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in every} == {"1e3"}


def test_every_text_of_a_values_file_is_a_text_in_the_render(tmp_path: Path) -> None:
    given = {
        text
        for text in texts(yaml.safe_load((GOLDEN / "values" / "names-like-numbers.yaml").read_text()))
        if yaml.safe_load(text) != text
    }
    assert len(given) > 10
    found = {str(each) for each in others(documents(render(tmp_path, "names-like-numbers")))}
    assert not given & found, "a name became a number or a truth"


def texts(node: object) -> Iterator[str]:
    """Every text in it."""
    return (each for each in leaves(node) if isinstance(each, str))


def others(node: object) -> Iterator[object]:
    """Everything in it that is no text."""
    return (each for each in leaves(node) if not isinstance(each, str))


def leaves(node: object) -> Iterator[object]:
    """Every scalar in it."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from leaves(each)
    else:
        yield node


@pytest.mark.parametrize(
    "setting",
    [
        "gateway.resources.requests.cpu=null,gateway.autoscaling.enabled=false",
        "gateway.resources.requests.cpu=null,gateway.resources.limits.cpu=2",
        "gateway.resources.requests.cpu=1.5",
        "operator.resources.limits=null",
        "networkPolicy.managers[0].ipBlock.cidr=2001:db8::/32",
        "networkPolicy.callers[0].podSelector.matchLabels.app=shop",
        "gateway.grpc.enabled=true,gateway.tls.secretName=tls",
    ],
)
def test_a_right_value_is_taken(tmp_path: Path, setting: str) -> None:
    assert documents(rendered(tmp_path, "--set", setting))


def test_every_value_that_the_release_before_has_is_needed_so_that_none_is_taken_away_with_null(tmp_path: Path) -> None:
    whole = [path for path in paths_of(values_in(CHART)) if path in set(paths_of(values_in(BEFORE)))]
    above = {path[:-1] for path in whole if len(path) > 1 and "resources" not in path[:-1]}
    assert ("networkPolicy",) in above
    for mapping in sorted(above):
        keys = {path[-1] for path in whole if path[:-1] == mapping}
        said = refusal_of(tmp_path, ",".join(f"{'.'.join((*mapping, key))}=null" for key in sorted(keys)))
        missing = re.search(rf"'/{'/'.join(mapping)}': missing propert(?:y|ies) (.*)", said)
        assert missing, (mapping, said)
        assert keys == set(re.findall(r"'(\w+)'", missing[1])), mapping


def test_a_value_that_is_newer_and_taken_away_with_null_means_its_default(tmp_path: Path) -> None:
    known = set(paths_of(values_in(BEFORE)))
    newer = [path for path in paths_of(values_in(CHART)) if path not in known and path not in NEEDED]
    assert len(newer) > 10
    default, above = rendered(tmp_path), {path[:-1] for path in newer}
    leaves = [path for path in newer if path not in above]
    outermost = [path for path in newer if path in above and path[:-1] not in above.intersection(newer)]
    for level in (leaves, outermost):  # together, as a render takes a third of a second; one by one to tell which
        if rendered(tmp_path, "--set", without(*level)) != default:
            assert not [path for path in level if rendered(tmp_path, "--set", without(path)) != default]
            pytest.fail("together they mean something else")


def test_the_values_of_the_release_before_are_taken_as_helm_reuses_them(tmp_path: Path) -> None:
    chart = tmp_path / "mizzen"
    shutil.copytree(CHART, chart)
    # With --reuse-values the defaults are those of the chart that is installed, and today's are nowhere.
    shutil.copy(BEFORE / "values.yaml", chart)
    changed = {"gateway.spool.maxBytes": values_in(BEFORE)["gateway"]["spool"]["maxBytes"]}
    for wanted in (
        "",
        "image.overrides.gateway=a:1",
        "controlplane.tls.secretName=tls",
        "operator.tls.secretName=tls",
        "controlplane.ingress.enabled=true,controlplane.ingress.host=a.example",
        "monitoring.serviceMonitor.enabled=true",
        "operator.podLabels.team=a,gateway.extraEnv[0].name=A,gateway.extraEnv[0].value=b",
        "fetch.privateStores[0].namespace=storage,fetch.privateStores[0].ports={9000}",
    ):
        reused = helm("template", RELEASE, chart, "--namespace", NAMESPACE, "--set", wanted, home=tmp_path)
        settings = ",".join(filter(None, (wanted, *(f"{name}={value}" for name, value in changed.items()))))
        assert reused == rendered(tmp_path, "--set", settings), wanted


def without(*paths: tuple[str, ...]) -> str:
    """For --set."""
    return ",".join(f"{'.'.join(path)}=null" for path in paths)


def values_in(chart: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text())
    return values


def refusal_of(home: Path, setting: str) -> str:
    """What helm says to it; empty where it renders."""
    try:
        rendered(home, "--set", setting)
    except HelmRefusedError as refused:
        return str(refused)
    return ""


def paths_of(node: object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of nested mappings, with the keys above it."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*above, key)
            yield from paths_of(value, (*above, key))


def test_what_helm_keeps_is_kept_by_argo_cd_and_flux_too(tmp_path: Path) -> None:
    every = documents(rendered(tmp_path)) + documents(helm("template", "mizzen-crds", DEFINITIONS, home=tmp_path))
    kept = [each for each in every if "helm.sh/resource-policy" in each["metadata"].get("annotations", {})]
    assert {each["kind"] for each in kept} == {"Secret", "PersistentVolumeClaim", "CustomResourceDefinition"}
    for each in kept:
        annotations = each["metadata"]["annotations"]
        assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
        assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
