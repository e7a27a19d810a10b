"""What does the environment say? Every setting, with its default; docs/reference/operator-settings.md lists them."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mizzen_operator.kinds.model_deployment.environment import Peer, PlanEnvironment, PrivateStore
from mizzen_operator.private_stores import private_stores
from mizzen_operator.runtimes.builtin import PLATFORM_IMAGE

DEFAULT_NAMESPACE: Final = "mizzen-system"
MEBIBYTE: Final = 1024 * 1024
_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
PEER_LABEL: Final = "app.kubernetes.io/name"


class SettingError(ValueError):
    """A variable says something that cannot be; the message names it."""


@dataclass(frozen=True)
class Settings:
    """How this operator runs."""

    namespace: str
    """Its own namespace: the lease lies here."""
    identity: str
    """Its own name, for the lease and for Events."""
    host: str
    port: int
    """For pods, gateways, probes and metrics."""
    tls_dir: Path | None
    """Folder with tls.crt and tls.key; None for plain HTTP."""
    controlplane_url: str
    controlplane_token_file: Path | None
    controlplane_ca: Path | None
    """PEM file with the authority of its certificate; None for those that the system trusts."""
    gateway_subject: str
    """Who may report load: system:serviceaccount:<namespace>:<name>."""
    workers: int
    """Passes at once."""
    resync_seconds: float
    """Everything is looked at again after so long."""
    compare_seconds: float
    """What people wrote is listed and compared with what the watch told after so long."""
    lease_name: str
    lease_seconds: float
    lease_renew_seconds: float
    lease_margin_seconds: float
    log_level: str
    plan: PlanEnvironment


def settings_from(environment: Mapping[str, str], own_namespace: str = "") -> Settings:
    """Return the settings. Raises SettingError for one that cannot be read."""
    read = _Reader(environment)
    namespace = read.text("MIZZEN_NAMESPACE", own_namespace or DEFAULT_NAMESPACE)
    controlplane = read.text("MIZZEN_CONTROLPLANE_URL", "")
    port = read.number("MIZZEN_PORT", 8482)
    return Settings(
        namespace=namespace,
        identity=read.text("MIZZEN_POD_NAME", socket.gethostname()),
        host=read.text("MIZZEN_HOST", "0.0.0.0"),  # noqa: S104 -- pods reach it by its Service
        port=port,
        tls_dir=read.file("MIZZEN_TLS_DIR"),
        controlplane_url=controlplane,
        controlplane_token_file=read.file("MIZZEN_TOKEN_FILE"),
        controlplane_ca=read.file("MIZZEN_CONTROLPLANE_CA"),
        gateway_subject=read.text("MIZZEN_GATEWAY_SUBJECT", f"system:serviceaccount:{namespace}:mizzen-gateway"),
        workers=read.number("MIZZEN_WORKERS", 32),
        resync_seconds=read.seconds("MIZZEN_RESYNC_SECONDS", 600.0),
        compare_seconds=read.seconds("MIZZEN_COMPARE_SECONDS", 60.0),
        lease_name=read.text("MIZZEN_LEASE_NAME", "mizzen-operator"),
        lease_seconds=read.seconds("MIZZEN_LEASE_SECONDS", 15.0),
        lease_renew_seconds=read.seconds("MIZZEN_LEASE_RENEW_SECONDS", 3.0),
        lease_margin_seconds=read.seconds("MIZZEN_LEASE_MARGIN_SECONDS", 5.0),
        log_level=read.text("MIZZEN_LOG_LEVEL", "info"),
        plan=_plan(read, namespace, controlplane, port),
    )


def _plan(read: "_Reader", namespace: str, controlplane: str, port: int) -> PlanEnvironment:
    """What pods are rendered with. It enters new revisions alone: what runs is left as it is."""
    scheme = "https" if read.file("MIZZEN_TLS_DIR") else "http"
    own = f"{scheme}://mizzen-operator.{namespace}.svc:{port}"
    return PlanEnvironment(
        platform_image=read.text("MIZZEN_PLATFORM_IMAGE", PLATFORM_IMAGE),
        registry_url=read.text("MIZZEN_REGISTRY_URL", controlplane),
        registry_ca=read.certificates("MIZZEN_CONTROLPLANE_CA"),
        operator_url=read.text("MIZZEN_OPERATOR_URL", own),
        operator_ca=read.certificates("MIZZEN_OPERATOR_CA"),
        gateway=Peer(namespace, {PEER_LABEL: "mizzen-gateway"}),
        monitoring=Peer(
            read.text("MIZZEN_MONITORING_NAMESPACE", "monitoring"),
            read.labels("MIZZEN_MONITORING_LABELS", {PEER_LABEL: "prometheus"}),
        ),
        operator=Peer(namespace, {PEER_LABEL: "mizzen-operator"}),
        registry=Peer(namespace, {PEER_LABEL: "mizzen-controlplane"}),
        private_stores=read.stores("MIZZEN_FETCH_PRIVATE_STORES"),
        fetch_bytes_per_second=read.number("MIZZEN_FETCH_MIB_PER_SECOND", 50) * MEBIBYTE,
        load_bytes_per_second=read.number("MIZZEN_LOAD_MIB_PER_SECOND", 200) * MEBIBYTE,
        url=read.text("MIZZEN_GATEWAY_URL", ""),
    )


@dataclass(frozen=True)
class _Reader:
    """Variables as what they stand for."""

    environment: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        return self.environment.get(name, "").strip() or default

    def file(self, name: str) -> Path | None:
        return Path(text) if (text := self.text(name, "")) else None

    def certificates(self, name: str) -> str:
        """PEM of the certificates in a file, without what else may stand there; empty where none is named."""
        path = self.file(name)
        if path is None:
            return ""
        try:
            found = _CERTIFICATE.findall(path.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{name}: {path} cannot be read ({error}); it must be a PEM file") from error
        if not found:
            raise SettingError(f"{name}: {path} holds no certificate; put the authority there as PEM")
        return "\n".join(found) + "\n"

    def number(self, name: str, default: int) -> int:
        text = self.text(name, str(default))
        try:
            number = int(text)
        except ValueError as error:
            raise SettingError(f"{name}: {text!r} is no whole number") from error
        if number <= 0:
            raise SettingError(f"{name}: {number} is not above 0")
        return number

    def seconds(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            seconds = float(text)
        except ValueError as error:
            raise SettingError(f"{name}: {text!r} is no number of seconds") from error
        if seconds < 0:
            raise SettingError(f"{name}: {seconds} is below 0")
        return seconds

    def stores(self, name: str) -> tuple[PrivateStore, ...]:
        """A list of stores as JSON."""
        try:
            return private_stores(self.text(name, "[]"))
        except ValueError as error:
            raise SettingError(f"{name}: {error}") from error

    def labels(self, name: str, default: Mapping[str, str]) -> Mapping[str, str]:
        """`<label>=<value>[,...]`."""
        text = self.text(name, "")
        if not text:
            return default
        pairs = [one.partition("=") for one in text.split(",") if one]
        if not all(label and value for label, _, value in pairs):
            raise SettingError(f"{name}: {text!r} is not <label>=<value>[,<label>=<value>...]")
        return {label: value for label, _, value in pairs}
