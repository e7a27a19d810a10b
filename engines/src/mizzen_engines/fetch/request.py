"""What is to be fetched, from where, and with which credential? The pod's variables and its Secret, read once."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from mizzen_engines.failure import EngineStartError, ExitCode, required
from mizzen_engines.fetch.addresses import AddressPolicy, refused


@dataclass(frozen=True)
class Credential:
    """What the Secret of spec.model.secretName holds; it goes to `host` and nowhere else."""

    host: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def headers_for(self, url: URL) -> dict[str, str]:
        """The authorization header for the URL: none unless it is https on the credential's own host."""
        if not self.host or url.host != self.host or url.scheme != "https":
            return {}
        if token := self.values.get("token"):
            return {"authorization": f"Bearer {token}"}
        if user := self.values.get("username"):
            pair = base64.b64encode(f"{user}:{self.values.get('password', '')}".encode()).decode()
            return {"authorization": f"Basic {pair}"}
        return {}

    def store_settings(self) -> dict[str, str]:
        """Settings for obstore: all but the host. An endpoint must lie on the credential's host."""
        settings = {name: value for name, value in self.values.items() if name != "host"}
        for name, value in settings.items():
            if name.endswith("endpoint") and URL(value).host != self.host:
                raise refused(f"the Secret's {name} is not on its host {self.host!r}: the credential stays there.")
        return settings


@dataclass(frozen=True)
class FetchRequest:
    """One fetch."""

    uri: str
    folder: Path
    digest: str
    stall_seconds: float
    registry_url: str
    registry_token: str
    registry_ca: str
    """PEM of the authority of the registry's certificate; empty for those that the image trusts."""
    credential: Credential
    addresses: AddressPolicy

    @property
    def scheme(self) -> str:
        """What comes before ://."""
        return self.uri.partition("://")[0]

    @property
    def reference(self) -> str:
        """What comes after ://."""
        return self.uri.partition("://")[2]


def from_environment(environment: Mapping[str, str]) -> FetchRequest:
    """Read the pod's variables. Raises EngineStartError on one that is missing or wrong."""
    stall = environment.get("MIZZEN_FETCH_STALL_SECONDS") or "300"
    if not stall.isdigit():
        raise EngineStartError(ExitCode.ENVIRONMENT, f"MIZZEN_FETCH_STALL_SECONDS must be a number, got {stall!r}.")
    return FetchRequest(
        uri=required(environment, "MIZZEN_MODEL_URI"),
        folder=Path(required(environment, "MIZZEN_MODEL_DIR")),
        digest=environment.get("MIZZEN_MODEL_DIGEST", ""),
        stall_seconds=float(stall),
        registry_url=environment.get("MIZZEN_REGISTRY_URL", ""),
        registry_ca=environment.get("MIZZEN_REGISTRY_CA", ""),
        registry_token=_content(environment.get("MIZZEN_REGISTRY_TOKEN_FILE", "")),
        credential=_credential(environment.get("MIZZEN_CREDENTIALS_DIR", "")),
        addresses=AddressPolicy.parse(environment.get("MIZZEN_FETCH_ALLOWED_HOSTS", "")),
    )


def _content(file: str) -> str:
    return Path(file).read_text().strip() if file and Path(file).is_file() else ""


def _credential(folder: str) -> Credential:
    if not folder or not Path(folder).is_dir():
        return Credential()
    files = [path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith(".")]
    values = {path.name: path.read_text().strip() for path in files}
    if "host" not in values:
        raise EngineStartError(
            ExitCode.ENVIRONMENT, "the Secret of spec.model.secretName lacks the key host: the one host it is sent to."
        )
    return Credential(values["host"], values)
