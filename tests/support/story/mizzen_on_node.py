"""Mizzen as the stories have it: its images on a real node, the charts installed as a person does, tenants, callers."""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from support.chart import NAMESPACE, ROOT, Installation
from support.cluster.cluster import condition
from support.cluster.objects import Object, Objects, wait_until
from support.cluster.real_node.node import Node
from support.command_line import CommandLine, command_line
from support.story import sentiment

from images import Archive

VALUES = ROOT / "examples" / "cluster" / "values-trial.yaml"
PROGRAMS = ("mizzen-operator", "mizzen-controlplane", "mizzen-gateway")
DEFINITIONS = tuple(
    f"{plural}.mizzen.dev"
    for plural in ("modeldeployments", "servingruntimes", "acceleratorclasses", "projects", "modelroutes")
)
SECONDS = 180.0


@dataclass
class Tenant:
    """A project with a namespace of the same name, two versions of the model and a key."""

    objects: Objects
    mizzen: CommandLine
    key: str

    @property
    def namespace(self) -> str:
        """Its namespace, and its project."""
        return self.objects.namespace

    def wait_ready(self, seconds: float = SECONDS) -> Object:
        """The deployment `sentiment` once it is Ready for its present spec."""
        return self.objects.wait("ModelDeployment", "sentiment", is_ready, seconds)

    def pods(self) -> list[Object]:
        """Engine pods of `sentiment` that are not on their way out."""
        return _staying(self.objects.list("Pod", labels="mizzen.dev/deployment=sentiment"))


def is_in_place(project: Object) -> bool:
    """A Project is Ready."""
    return condition(project, "Ready").get("status") == "True"


def is_ready(deployment: Object) -> bool:
    """Ready is True, of the present generation, and nothing is under way."""
    status = deployment.get("status", {})
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and condition(deployment, "Ready").get("status") == "True"
        and not condition(deployment, "Reconciling")
    )


@dataclass
class Platform:
    """The installation of a run; stories that remove it leave it to the next one to bring back."""

    node: Node
    home: Path
    told: list[str]
    """Figures for the end of the run."""
    before: set[str] = field(default_factory=set)
    """Every object that the cluster had before the first installation."""
    _commands: int = 0

    @property
    def installation(self) -> Installation:
        """The charts, by the real helm."""
        return Installation(self.node.cluster, self.home)

    def load_images(self, archives: Mapping[str, Archive]) -> None:
        """Bring the product's images onto the node."""
        began = time.monotonic()
        for archive in archives.values():
            self.node.load(archive.path)
        self.told.append(f"images imported in {time.monotonic() - began:.0f} s")

    def remove(self) -> None:
        """As docs/how-to/upgrade-and-uninstall.md says, to the last object."""
        delete = ("delete", "--ignore-not-found", "--wait", "--timeout=120s")
        kubectl, helm = self.node.cluster.kubectl, self.installation.helm
        kubectl(*delete, "modeldeployments.mizzen.dev,modelroutes.mizzen.dev", "--all", "--all-namespaces")
        helm("uninstall", "mizzen", "--wait", "--timeout", "120s")
        helm("uninstall", "mizzen-crds", "--wait")
        kubectl(*delete, "crd", *DEFINITIONS)
        kubectl(*delete, "namespace", "--selector", "mizzen.dev/project")
        kubectl(*delete, "namespace", NAMESPACE)

    def installed(self) -> bool:
        """The release is there."""
        return self.node.objects.get("Deployment", "mizzen-operator", NAMESPACE) is not None

    def install(self, chart: Path | None = None, definitions: Path | None = None) -> None:
        """As docs/how-to/install.md does, into a namespace that takes restricted pods alone; returns when it serves."""
        charts = ROOT / "charts"
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": NAMESPACE, "labels": labels}
        self.node.objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        began = time.monotonic()
        wait = ("--wait", "--timeout", "180s")
        helm = self.installation.helm
        helm("upgrade", "--install", "mizzen-crds", definitions or charts / "mizzen-crds", *wait)
        helm("install", "mizzen", chart or charts / "mizzen", "-f", VALUES, *wait)
        self.told.append(f"install: {time.monotonic() - began:.0f} s from two helm commands until all is Ready")

    def wait_serving(self) -> None:
        """Return once every replica of every program is ready and none is on its way out."""
        wait_until(lambda: not self.unready(), SECONDS, lambda: f"{self.unready()}\n{self.events()}")

    def unready(self) -> list[str]:
        """Programs of which some replica is missing or too many."""
        found = {each["metadata"]["name"]: each for each in self.node.objects.list("Deployment", NAMESPACE)}
        return [name for name in PROGRAMS if name not in found or not _settled(found[name])]

    def events(self) -> str:
        """What the cluster says of the programs."""
        return self.node.cluster.kubectl("get", "pods,events", "-n", NAMESPACE, "-o", "wide")

    def pods(self, program: str) -> list[Object]:
        """Pods of a program that are not on their way out."""
        return _staying(self.node.objects.list("Pod", NAMESPACE, labels=f"app.kubernetes.io/name={program}"))

    def address(self, program: str) -> str:
        """host:port of a program's Service."""
        service = self.node.objects.get("Service", program, NAMESPACE)
        assert service, program
        return f"{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}"

    @property
    def gateway(self) -> str:
        """host:port of the gateway's Service, as tritonclient wants it."""
        return self.address("mizzen-gateway")

    @property
    def token(self) -> str:
        """The administrator's, from the Secret that the first start filled."""
        secret = self.node.objects.get("Secret", "mizzen-secrets", NAMESPACE)
        assert secret
        return base64.b64decode(secret["data"]["admin"]).decode()

    def mizzen(self, project: str) -> CommandLine:
        """A shell of the administrator's with a project."""
        self._commands += 1
        urls = f"http://{self.address('mizzen-controlplane')}", f"http://{self.gateway}"
        found = command_line(self.home / f"shell-{self._commands}", *urls, self.token)
        return CommandLine({**found.variables, "MIZZEN_PROJECT": project, "NO_PROXY": "*"})

    def rows(self, project: str) -> list[dict[str, Any]]:
        """Every request of a project in the ledger."""
        found: list[dict[str, Any]] = []
        asked = {"page_size": "500"}
        with httpx.Client(
            base_url=f"http://{self.address('mizzen-controlplane')}",
            headers={"Authorization": f"Bearer {self.token}"},
            trust_env=False,
        ) as client:
            while True:
                page = client.get(f"/api/v1/projects/{project}/requests", params=asked).raise_for_status().json()
                found += page["items"]
                if not page.get("next_page_token"):
                    return found
                asked["page_token"] = page["next_page_token"]

    @contextmanager
    def tenant(self, name: str, versions: int = 2, member: str = "") -> Iterator[Tenant]:
        """A project with a key and so many versions of `sentiment`; its models go in the end, the project stays.

        It is made by `mizzen`, or, where a member is named, as a Project object that has that person.
        """
        mizzen, objects = self.mizzen(name), self.node.objects.within(name)
        if member:
            self.node.objects.create(_project(name, member))
        else:
            mizzen("projects", "create", name)
        objects.wait("Project", name, is_in_place, SECONDS)
        wait_until(lambda: name in mizzen("projects", "list", "-o", "name").out, SECONDS, f"no project {name}")
        for version in range(1, versions + 1):
            mizzen("models", "push", "sentiment", sentiment.artifact(version))
        key = mizzen("keys", "create", "caller").out.strip()
        try:
            yield Tenant(objects, mizzen, key)
        finally:
            if self.installed():
                for deployment in objects.list("ModelDeployment"):
                    objects.delete("ModelDeployment", deployment["metadata"]["name"])
                wait_until(lambda: not objects.list("Pod"), SECONDS, lambda: str(objects.list("Pod")))
            objects.close()

    def everything(self) -> set[str]:
        """Every object of the cluster but those that it makes of itself all the time, Events and leases."""
        kubectl = self.node.cluster.kubectl
        kinds = kubectl("api-resources", "--verbs=list", "-o", "name").split()
        wanted = [kind for kind in kinds if kind.partition(".")[0] not in _RESTLESS]
        found = kubectl("get", ",".join(wanted), "--all-namespaces", "--ignore-not-found", "-o", _COLUMNS)
        return {" ".join(line.split()) for line in found.splitlines()[1:]}


_RESTLESS = ("events", "leases", "componentstatuses")
_COLUMNS = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"


def _staying(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def _project(name: str, member: str) -> Object:
    members = [{"kind": "User", "name": member, "role": "Edit"}]
    spec = {"namespaces": [name], "members": members}
    return {"apiVersion": "mizzen.dev/v1alpha1", "kind": "Project", "metadata": {"name": name}, "spec": spec}


def _settled(workload: Object) -> bool:
    status, wanted = workload.get("status", {}), workload["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return status.get("observedGeneration") == workload["metadata"]["generation"] and counts == [wanted] * 3
