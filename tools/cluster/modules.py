"""Which programs make a cluster, from which pinned Go module does each come, and which target needs which?

A module is a folder beside this file with a go.mod and a go.sum; they are separate because their dependencies disagree.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_KUBERNETES = "k8s.io/kubernetes"
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


@dataclass(frozen=True)
class Module:
    """A folder of pins."""

    name: str
    path: str
    """Go module whose version the pins are about."""

    @property
    def folder(self) -> Path:
        """Where its go.mod stands."""
        return FOLDER / self.name

    @property
    def version(self) -> str:
        """The pinned version, such as `v1.36.3`."""
        return self._pinned(rf"^(?:require )?\t?{re.escape(self.path)} (v\S+)(?: .*)?$")

    @property
    def go(self) -> tuple[int, ...]:
        """The oldest Go that it builds with."""
        return tuple(int(part) for part in self._pinned(r"^go (\S+)$").split("."))

    def key(self, go_version: str) -> str:
        """Names what these pins give with a Go: any change of either gives another name."""
        own = sorted(path.name for path in self.folder.glob("*.go"))
        pins = [(self.folder / name).read_bytes() for name in ("go.mod", "go.sum", *own)]
        return hashlib.sha256(b"\0".join([*pins, go_version.encode()])).hexdigest()[:16]

    def _pinned(self, pattern: str) -> str:
        found = re.search(pattern, (self.folder / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} has no line like {pattern}; write the version there")
        return found[1]


@dataclass(frozen=True)
class Program:
    """A binary."""

    name: str
    module: Module
    package: str

    def link_flags(self) -> str:
        """Stripped; programs of Kubernetes say their version, which clients ask for, and KEDA's theirs in the log."""
        version = self.module.version
        number = version.removeprefix("v")
        stamps: list[str] = []
        if self.module is KUBERNETES:
            major, minor, _ = number.split(".")
            facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
            stamps = [f"-X {package}.{name}={value}" for package in _VERSION_PACKAGES for name, value in facts.items()]
        if self.module is KEDA:
            stamps = [f"-X {self.module.path}/version.Version={number}"]
        return " ".join(["-s -w", *stamps])


KUBERNETES = Module("kubernetes", _KUBERNETES)
_ETCD = Module("etcd", "go.etcd.io/etcd/server/v3")
_KWOK = Module("kwok", "sigs.k8s.io/kwok")
_HELM = Module("helm", "helm.sh/helm/v4")
_KUBECONFORM = Module("kubeconform", "github.com/yannh/kubeconform")
_COREDNS = Module("coredns", "github.com/coredns/coredns")
KEDA = Module("keda", "github.com/kedacore/keda/v2")
_OTELCOL = Module("otelcol", "go.opentelemetry.io/collector/otelcol")
_VERSITYGW = Module("versitygw", "github.com/versity/versitygw")
_AGENT = Module("agent", "github.com/argoproj/gitops-engine")

PROGRAMS = {
    program.name: program
    for program in (
        *(
            Program(name, KUBERNETES, f"{_KUBERNETES}/cmd/{name}")
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        ),
        Program("etcd", _ETCD, "go.etcd.io/etcd/server/v3"),
        Program("kwok", _KWOK, "sigs.k8s.io/kwok/cmd/kwok"),
        Program("helm", _HELM, "helm.sh/helm/v4/cmd/helm"),
        Program("kubeconform", _KUBECONFORM, "github.com/yannh/kubeconform/cmd/kubeconform"),
        Program("coredns", _COREDNS, "github.com/coredns/coredns"),
        Program("agent", _AGENT, "github.com/argoproj/gitops-engine/agent"),
        Program("versitygw", _VERSITYGW, "github.com/versity/versitygw/cmd/versitygw"),
        Program("otelcol", _OTELCOL, "mizzen.dev/tools/cluster/otelcol"),
        Program("keda-operator", KEDA, f"{KEDA.path}/cmd/operator"),
        Program("keda-adapter", KEDA, f"{KEDA.path}/cmd/adapter"),
    )
}

_API_SERVER = ("kubectl", "etcd", "kube-apiserver")
_SCHEDULING = (*_API_SERVER, "kube-controller-manager", "kube-scheduler", "kwok")
_TESTED = (*_SCHEDULING, "helm", "kubeconform")

GROUPS = {
    "api-server": _API_SERVER,
    "playground": _SCHEDULING,
    "test-cluster": _TESTED,
    "e2e": (*_TESTED, "kubelet", "kube-proxy", "coredns", "agent"),
    "services": ("otelcol", "versitygw"),
    "long": (*_SCHEDULING, "keda-operator", "keda-adapter"),
}
"""What a target needs: `build.py test-cluster` builds all of that group."""


def named(names: list[str]) -> list[Program]:
    """Programs of names and groups, each once; ValueError names what is neither."""
    unknown = [name for name in names if name not in PROGRAMS and name not in GROUPS]
    if unknown:
        known = ", ".join((*GROUPS, *PROGRAMS))
        raise ValueError(f"there is no program or group {', '.join(unknown)}; there are {known}")
    return [PROGRAMS[one] for one in dict.fromkeys(each for name in names for each in GROUPS.get(name, (name,)))]
