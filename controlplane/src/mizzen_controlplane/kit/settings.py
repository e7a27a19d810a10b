"""What the environment tells this process: where its data, secrets and database are, and where it listens."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mizzen_controlplane.kit.client_address import Network

KUBERNETES = "kubernetes"
STORES = ("database", KUBERNETES)
SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""Kinds of MIZZEN_SMTP_SECURITY, and the port that is usual for each."""


class SettingsError(Exception):
    """The environment lacks something or says something impossible; the text names the variable and the remedy."""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The server that takes e-mail."""

    host: str
    sender: str
    """The address that it comes from."""
    port: int = 587
    security: str = "starttls"
    """`starttls`, `tls` from the first byte, or `none`."""
    user: str = ""
    password_file: Path | None = None
    """Read for each letter, so that it may be renewed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one control plane."""

    database_url: str
    data_dir: Path
    secrets_dir: Path
    host: str = "127.0.0.1"
    port: int = 8470
    gateway_url: str = "http://127.0.0.1:8480"
    tls_dir: Path | None = None
    """Folder with tls.crt and tls.key; None for plain HTTP."""
    public_url: str = ""
    """Where browsers reach this process, such as https://mizzen.example.com; empty: where it listens."""
    sign_in_file: Path | None = None
    """YAML file with the providers of sign-in; None: local accounts alone."""
    session_idle_seconds: int = 12 * 3600
    """A session that is not used for so long ends."""
    session_seconds: int = 7 * 24 * 3600
    """Every session ends after so long."""
    pods_dir: Path | None = None
    """On one machine: folder of the pods, with their logs; None where they run elsewhere."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Largest body of a route that does not stream."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of the proxies in front, whose X-Forwarded-For is believed."""
    refusals_per_minute: int = 300
    """Of callers whom nobody knows, from one address; more are refused before their token is looked at."""
    requests_per_second: int = 1000
    """Of one known caller, on the routes of people and pipelines."""
    audit_sink: str = ""
    """URL of where anchors of the audit trail are sent; empty for nowhere."""
    audit_anchor_seconds: int = 60
    """How often the audit trail is anchored, where it has grown."""
    audit_key_file: Path | None = None
    """What anchors are signed with; None: `audit-key` in the folder of secrets, where there is one."""
    audit_sink_token_file: Path | None = None
    """What the sink knows this installation by; None: `audit-sink-token` in that folder, where there is one."""
    sealing_key_file: Path | None = None
    """What stored secrets are sealed with; None: `sealing-key` in that folder, where there is one."""
    audit_keep_days: int = 0
    """After how many days audit events are removed; 0 for never."""
    upload_stall_seconds: int = 60
    """How long an upload may send no byte before it is let go."""
    artifacts_url: str = ""
    """`s3://bucket/prefix` that keeps the artifacts; empty: the data folder."""
    artifacts_endpoint: str = ""
    """URL of the store, where it is not AWS."""
    artifacts_region: str = ""
    artifacts_secrets_dir: Path | None = None
    """Folder with access_key_id and secret_access_key; None: what the machine's own identity gives."""
    artifacts_direct: bool = False
    """Engines are sent to the store, by URLs signed for them, instead of fetching through the control plane."""
    files_key_file: Path | None = None
    """What callers' files are sealed with; None: `files-key` in the folder of secrets, where there is one."""
    files_max_bytes: int = 200 * 1024 * 1024
    """Largest file that a caller may keep."""
    files_project_bytes: int = 2 * 1024**3
    """All files of one project together."""
    files_days: int = 30
    """How long a file is kept, at most."""
    batch_max_lines: int = 50_000
    """Of one batch."""
    organization: str = "default"
    currency: str = "USD"
    store: str = "database"
    """Who keeps deployments: `database`, or `kubernetes` for the API server of the cluster."""
    namespace: str = "mizzen-system"
    """In a cluster: where this installation runs; no project's."""
    egress_trusted: str = ""
    """Hosts and networks that fetches on someone's word may reach although they are private, comma-separated."""
    egress_only: str = ""
    """Where not empty, no other hosts are fetched from."""
    egress_resolver: str = ""
    """DNS server that fetches ask, `address` or `address:port`; empty for the system's."""
    import_max_bytes: int = 1 << 41
    """Largest artifact that is imported."""
    hub_url: str = "https://huggingface.co"
    """Where hf:// leads."""
    smtp: SmtpSettings | None = None
    """Who takes e-mail; None where none is sent."""
    accounts: Mapping[str, str] = field(default_factory=dict)
    """In a cluster: full name of a program's service account -> what its token opens; empty on one machine."""

    @property
    def named_secrets(self) -> Mapping[str, Path]:
        """Secrets that have a file of their own, by the name that each would have in the folder."""
        files = {
            "files-key": self.files_key_file,
            "audit-key": self.audit_key_file,
            "audit-sink-token": self.audit_sink_token_file,
            "sealing-key": self.sealing_key_file,
        }
        return {name: file for name, file in files.items() if file is not None}

    @property
    def base_url(self) -> str:
        """Where browsers reach this process, without a slash at the end."""
        return self.public_url or f"http{'s' if self.tls_dir else ''}://{self.host}:{self.port}"

    @property
    def is_secure(self) -> bool:
        """Browsers come over TLS alone, so that cookies may be kept to it."""
        return self.base_url.startswith("https://")


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the `MIZZEN_*` variables; raises SettingsError."""
    given = os.environ if environment is None else environment
    data_dir = Path(_needed(given, "MIZZEN_DATA_DIR", "the folder that keeps artifacts"))
    secrets_dir = Path(_needed(given, "MIZZEN_SECRETS_DIR", "the folder with pepper, page-key and tokens"))
    return Settings(
        database_url=given.get("MIZZEN_DATABASE_URL") or f"sqlite+aiosqlite:///{data_dir / 'controlplane.db'}",
        data_dir=data_dir,
        secrets_dir=secrets_dir,
        host=given.get("MIZZEN_HOST", "127.0.0.1"),
        port=_whole_number(given, "MIZZEN_PORT", 8470, 65535),
        gateway_url=given.get("MIZZEN_GATEWAY_URL", "http://127.0.0.1:8480"),
        tls_dir=_path(given, "MIZZEN_TLS_DIR"),
        public_url=_public_url(given.get("MIZZEN_PUBLIC_URL", "")),
        sign_in_file=_path(given, "MIZZEN_SIGN_IN_FILE"),
        session_idle_seconds=_whole_number(given, "MIZZEN_SESSION_IDLE_SECONDS", 12 * 3600, 90 * 86_400),
        session_seconds=_whole_number(given, "MIZZEN_SESSION_SECONDS", 7 * 86_400, 366 * 86_400),
        pods_dir=_path(given, "MIZZEN_PODS_DIR"),
        max_body_bytes=_whole_number(given, "MIZZEN_MAX_BODY_BYTES", 8 * 1024 * 1024, 1 << 40),
        trusted_proxies=_networks(given, "MIZZEN_TRUSTED_PROXIES"),
        refusals_per_minute=_whole_number(given, "MIZZEN_REFUSALS_PER_MINUTE", 300, 10_000_000),
        requests_per_second=_whole_number(given, "MIZZEN_REQUESTS_PER_SECOND", 1000, 1_000_000),
        audit_sink=given.get("MIZZEN_AUDIT_SINK", ""),
        audit_anchor_seconds=_whole_number(given, "MIZZEN_AUDIT_ANCHOR_SECONDS", 60, 86_400),
        audit_key_file=_path(given, "MIZZEN_AUDIT_KEY_FILE"),
        audit_sink_token_file=_path(given, "MIZZEN_AUDIT_SINK_TOKEN_FILE"),
        sealing_key_file=_path(given, "MIZZEN_SEALING_KEY_FILE"),
        audit_keep_days=_whole_number(given, "MIZZEN_AUDIT_KEEP_DAYS", 0, 36_500),
        upload_stall_seconds=_whole_number(given, "MIZZEN_UPLOAD_STALL_SECONDS", 60, 86_400),
        artifacts_url=_bucket(given.get("MIZZEN_ARTIFACTS_URL", "")),
        artifacts_endpoint=given.get("MIZZEN_ARTIFACTS_ENDPOINT", ""),
        artifacts_region=given.get("MIZZEN_ARTIFACTS_REGION", ""),
        artifacts_secrets_dir=_path(given, "MIZZEN_ARTIFACTS_SECRETS_DIR"),
        artifacts_direct=_switch(given, "MIZZEN_ARTIFACTS_DIRECT"),
        files_key_file=_path(given, "MIZZEN_FILES_KEY_FILE"),
        files_max_bytes=_whole_number(given, "MIZZEN_FILES_MAX_BYTES", 200 * 1024 * 1024, 1 << 40),
        files_project_bytes=_whole_number(given, "MIZZEN_FILES_PROJECT_BYTES", 2 * 1024**3, 1 << 50),
        files_days=_whole_number(given, "MIZZEN_FILES_DAYS", 30, 3650),
        batch_max_lines=_whole_number(given, "MIZZEN_BATCH_MAX_LINES", 50_000, 10_000_000),
        organization=given.get("MIZZEN_ORGANIZATION", "default"),
        currency=_currency(given.get("MIZZEN_CURRENCY", "USD")),
        store=_store(given.get("MIZZEN_STORE") or "database"),
        namespace=given.get("MIZZEN_NAMESPACE") or "mizzen-system",
        egress_trusted=given.get("MIZZEN_EGRESS_TRUSTED", ""),
        egress_only=given.get("MIZZEN_EGRESS_ONLY", ""),
        egress_resolver=given.get("MIZZEN_EGRESS_RESOLVER", ""),
        import_max_bytes=_whole_number(given, "MIZZEN_IMPORT_MAX_BYTES", 1 << 41, 1 << 50),
        hub_url=(given.get("MIZZEN_HUB_URL") or "https://huggingface.co").rstrip("/"),
        smtp=_smtp(given),
        accounts=_accounts(given),
    )


def _needed(given: Mapping[str, str], name: str, what: str) -> str:
    value = given.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: it names {what}. Set it to an absolute path.")
    return value


def _path(given: Mapping[str, str], name: str) -> Path | None:
    return Path(given[name]) if given.get(name) else None


def _bucket(url: str) -> str:
    if url and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w./-]*)?", url):
        raise SettingsError(
            f"MIZZEN_ARTIFACTS_URL is {url!r}: it must be s3://bucket or s3://bucket/prefix; empty keeps the artifacts "
            "in MIZZEN_DATA_DIR."
        )
    return url


def _switch(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name) or "0"
    if text not in ("0", "1"):
        raise SettingsError(f"{name} is {text!r}: it must be 1 or 0.")
    return text == "1"


def _whole_number(given: Mapping[str, str], name: str, default: int, at_most: int) -> int:
    text = given.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= at_most:
        raise SettingsError(f"{name} is {text!r}: it must be a whole number from 1 to {at_most}.")
    return int(text)


def _networks(given: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        texts = [text.strip() for text in given.get(name, "").split(",")]
        return tuple(ipaddress.ip_network(text) for text in texts if text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}. Write networks as 10.0.0.0/8, with commas between.") from error


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query):
        raise SettingsError(
            f"MIZZEN_PUBLIC_URL is {text!r}: it must be http:// or https:// with a host and, where needed, a port, and "
            "nothing after them."
        )
    return text.rstrip("/")


def _smtp(given: Mapping[str, str]) -> SmtpSettings | None:
    host, sender = given.get("MIZZEN_SMTP_HOST", ""), given.get("MIZZEN_SMTP_FROM", "")
    security = given.get("MIZZEN_SMTP_SECURITY") or "starttls"
    if security not in SMTP_PORTS:
        raise SettingsError(f"MIZZEN_SMTP_SECURITY is {security!r}: it must be one of {', '.join(SMTP_PORTS)}.")
    port = _whole_number(given, "MIZZEN_SMTP_PORT", SMTP_PORTS[security], 65535)
    user, password_file = given.get("MIZZEN_SMTP_USER", ""), _path(given, "MIZZEN_SMTP_PASSWORD_FILE")
    if bool(user) != (password_file is not None):
        raise SettingsError("MIZZEN_SMTP_USER and MIZZEN_SMTP_PASSWORD_FILE go together: set both, or neither.")
    if not host and not sender:
        return None
    if not host or "@" not in sender:
        raise SettingsError(
            "MIZZEN_SMTP_HOST and MIZZEN_SMTP_FROM go together: a host, and the address that e-mail comes from."
        )
    return SmtpSettings(host, sender, port, security, user, password_file)


def _accounts(given: Mapping[str, str]) -> Mapping[str, str]:
    named = {program: given.get(f"MIZZEN_{program.upper()}_SUBJECT", "") for program in ("gateway", "operator")}
    for program, account in named.items():
        if account and not account.startswith("system:serviceaccount:"):
            raise SettingsError(
                f"MIZZEN_{program.upper()}_SUBJECT is {account!r}: it must be system:serviceaccount:namespace:name."
            )
    return {account: program for program, account in named.items() if account}


def _store(named: str) -> str:
    if named not in STORES:
        raise SettingsError(f"MIZZEN_STORE is {named!r}: it must be one of {', '.join(STORES)}.")
    return named


def _currency(code: str) -> str:
    if len(code) != 3 or not code.isascii() or not code.isupper():
        raise SettingsError(f"MIZZEN_CURRENCY is {code!r}: it must be an ISO 4217 code of three capital letters.")
    return code
