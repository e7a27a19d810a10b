"""What does the text mean that names where a version is? Read without asking anybody."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from mizzen_controlplane.kit.problem import Invalid, invalid_field

LONGEST = 2048
PLAIN = {"https": "http", "mlflow": "mlflow+http", "oci": "oci+http"}
"""Kinds that trusted hosts may be asked for without TLS, and how that is written."""
SCHEMES = ("https", "hf", "mlflow", "s3", "oci")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,63}")
_ENDPOINT = re.compile(r"https?://[a-zA-Z0-9.-]{1,253}(:[0-9]{1,5})?")
_SECRET = re.compile(r"(?i)(signature|^sig$|token|secret|password|passwd|^key$|api[-_]?key|credential)")


@dataclass(frozen=True, slots=True)
class Source:
    """A source, taken apart."""

    text: str
    """As it was given."""
    scheme: str
    """One of SCHEMES."""
    host: str
    """`host` or `host:port`; of hf the organization."""
    path: str
    """What follows the host, without its first `/`."""
    tls: bool = True

    @property
    def origin(self) -> str:
        """`https://host:port`, or `http://` for a trusted one."""
        return f"http{'s' if self.tls else ''}://{self.host}"

    def asked_at(self, hub_url: str) -> str:
        """URL of the host that is asked first; raises Invalid."""
        if self.scheme == "s3":
            return bucket_of(self).endpoint
        return hub_url if self.scheme == "hf" else self.origin


@dataclass(frozen=True, slots=True)
class Bucket:
    """What an s3:// source names."""

    name: str
    prefix: str
    endpoint: str
    """`https://host[:port]`, or `http://` for a trusted one."""
    region: str


def bucket_of(source: Source) -> Bucket:
    """Of `s3://bucket/prefix?region=...&endpoint=https://host:port`; raises Invalid."""
    prefix, _, query = source.path.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := set(given) - {"region", "endpoint"}:
        raise _unfit(f"s3:// knows the parameters region and endpoint, not {min(unknown)!r}")
    region = given.get("region", "us-east-1")
    endpoint = given.get("endpoint", f"https://s3.{region}.amazonaws.com").rstrip("/")
    if not _BUCKET.fullmatch(source.host) or not _REGION.fullmatch(region) or not _ENDPOINT.fullmatch(endpoint):
        raise _unfit("a bucket, region or endpoint is not written as one; s3://bucket/prefix?region=eu-central-1, or "
                     "s3://bucket/prefix?endpoint=https://host:port")  # fmt: skip
    return Bucket(source.host, unquote(prefix), endpoint, region)


def source_of(text: str) -> Source:
    """The source; raises Invalid naming what is wrong with it."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise _unfit(f"it is no URL ({error})") from error
    plain = {written: kind for kind, written in PLAIN.items()}
    scheme = plain.get(parts.scheme, parts.scheme)
    if scheme not in SCHEMES:
        raise _unfit(f"it begins with none of {', '.join(f'{known}://' for known in SCHEMES)}")
    if "@" in parts.netloc and scheme != "hf":
        raise _unfit("it carries a name or password, which everyone who reads the version would see: leave it "
                     "out")  # fmt: skip
    if not parts.netloc or parts.fragment or not text.isprintable() or " " in text or "\\" in text:
        raise _unfit("a host, or what stands in its place, is missing, or it has characters that no URL has")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise _unfit("`.` and `..` lead elsewhere")
    if secret := next((name for name, _ in parse_qsl(parts.query, True) if _SECRET.search(name)), ""):
        raise _unfit(f"its parameter {secret!r} looks like a secret, which everyone who reads the version would see: "
                     "leave it out")  # fmt: skip
    path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    return Source(text, scheme, parts.netloc.lower() if scheme != "hf" else parts.netloc, path, parts.scheme == scheme)


def _unfit(why: str) -> Invalid:
    return invalid_field(
        "/source",
        f"The source cannot be taken: {why}. Write https://host/file, hf://organization/name@revision, "
        "mlflow://host/models:/name/version, s3://bucket/prefix or oci://host/repository:tag.",
        code="source_malformed",
    )
