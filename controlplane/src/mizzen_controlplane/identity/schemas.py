"""Projects and API keys on the wire."""

from datetime import datetime
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Self, TypeVar

from mizzen_crds.access import KeyOperation, Priority
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from mizzen_controlplane.kit.wire import Body, Labels, Resource, ResourceName, example

Listed = TypeVar("Listed")


def network(text: str) -> str:
    """A network as it is written: `192.0.2.7` becomes `192.0.2.7/32`. Raises ValueError."""
    try:
        return str(ip_network(text.strip()))
    except ValueError as error:
        raise ValueError(
            f"{text[:64]!r} is no network ({error}); write one as 192.0.2.0/24 or 2001:db8::/32"
        ) from error


def once_each(values: list[Listed]) -> list[Listed]:
    """Each of them once, in their order."""
    return list(dict.fromkeys(values))


ServedName = Annotated[str, StringConstraints(min_length=1, max_length=253)]
RouteNames = Annotated[list[ServedName], Field(min_length=1, max_length=256)]
Operations = Annotated[list[KeyOperation], Field(min_length=1, max_length=16), AfterValidator(once_each)]
IpRange = Annotated[str, StringConstraints(min_length=2, max_length=64), AfterValidator(network)]
IpRanges = Annotated[list[IpRange], Field(min_length=1, max_length=64), AfterValidator(once_each)]
MAX_OVERLAP_SECONDS = 30 * 24 * 3600


class ProjectCreate(Body):
    """A new tenant."""

    model_config = example({"name": "reviews", "labels": {"team": "search"}})

    name: ResourceName
    """Unique; also its namespace."""
    allow_code: bool = False
    """Artifacts that carry code (a TritonRepository with model.py or a shared object) may be served."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class ProjectPatch(Body):
    """What of a project may change."""

    model_config = example({"labels": {"team": "search"}})

    allow_code: bool | None = None
    """Artifacts that carry code may be served."""
    labels: Labels | None = None
    """The caller's own."""


class ProjectView(Resource):
    """A tenant."""

    namespace: str
    """Namespace whose workloads are its own."""
    allow_code: bool
    """Artifacts that carry code may be served."""
    archived_at: datetime | None
    """Since when it is archived: its keys are refused and nothing in it changes; null while it is in use."""


class KeyCreate(Body):
    """A new API key."""

    model_config = example(
        {
            "name": "web-shop",
            "expires_at": "2099-01-31T00:00:00Z",
            "models": ["sentiment"],
            "ip_ranges": ["192.0.2.0/24"],
        }
    )

    name: ResourceName
    """Unique in the project, revoked keys included."""
    expires_at: AwareDatetime | None = None
    """Refused from then on; in the future, with a time zone."""
    models: Annotated[list[ServedName], Field(min_length=1, max_length=256)] | None = None
    """Served names that it may call; absent for all of the project's."""
    routes: RouteNames | None = None
    """Names of routes that it may call. With `models` or `routes` given it may call what is in either, and nothing
    else: with `routes` alone no deployment under its own name."""
    operations: Operations | None = None
    """What it may ask for, such as `embeddings`; absent for everything. Lines of batches are held to it as well."""
    ip_ranges: IpRanges | None = None
    """Networks that it may be used from (CIDR, or single addresses); absent for anywhere. Lines of a batch come from
    no address: the batch is held to it when it is made."""
    priority: Priority = Priority.STANDARD
    """The highest that its requests have where there are more than can be answered: interactive, standard or batch, the
    last refused first."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class KeyPatch(Body):
    """What of a key may change."""

    model_config = example({"expires_at": "2099-01-31T00:00:00Z", "priority": "interactive"})

    expires_at: AwareDatetime | None = None
    """Refused from then on; null for never."""
    models: Annotated[list[ServedName], Field(min_length=1, max_length=256)] | None = None
    """Served names that it may call; null for all of the project's."""
    routes: RouteNames | None = None
    """Names of routes that it may call beside `models`; null for no such list."""
    operations: Operations | None = None
    """What it may ask for; null for everything."""
    ip_ranges: IpRanges | None = None
    """Networks that it may be used from; null for anywhere."""
    priority: Priority | None = None
    """The highest that its requests have: interactive, standard or batch; null for standard."""
    labels: Labels | None = None
    """The caller's own."""


class KeyRotate(Body):
    """How a key gets a new secret."""

    model_config = example({"overlap_seconds": 3600})

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 0
    """How long the old secret works beside the new one; 0 for not at all, at most 30 days."""


class KeyState(StrEnum):
    """Whether a key opens anything."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class KeyView(Resource):
    """An API key, without its secret."""

    project: str
    """Name of the project that it acts for."""
    state: KeyState
    """Whether it opens anything now."""
    expires_at: datetime | None
    """Refused from then on."""
    revoked_at: datetime | None
    """When it was revoked."""
    models: list[str] | None
    """Served names that it may call; null for all of the project's."""
    routes: list[str] | None
    """Names of routes that it may call beside `models`; null for no such list."""
    operations: list[KeyOperation] | None
    """What it may ask for; null for everything."""
    ip_ranges: list[str] | None
    """Networks that it may be used from; null for anywhere."""
    priority: Priority
    """The highest that its requests have where there are more than can be answered; batch is refused first."""
    previous_secret_expires_at: datetime | None
    """Until when the secret before the last rotation works too."""
    created_by: str
    """Who made it."""
    last_used_at: datetime | None
    """Minute in which the last request of it began that an engine was asked for, some seconds late; null for none."""


class KeyWithSecret(KeyView):
    """An API key at its making or rotation."""

    secret: str
    """`mzk_...`: what callers send. Shown this once, stored nowhere."""


class BulkRevoke(Body):
    """Which keys of a project: all that is said must hold."""

    model_config = example(
        {
            "labels": {"team": "search"},
            "last_used_before": "2026-01-01T00:00:00Z",
        }
    )

    labels: Labels = Field(default_factory=dict)
    """Labels that they have, with these values."""
    created_before: AwareDatetime | None = None
    """They were made before that."""
    last_used_before: AwareDatetime | None = None
    """They were made before that and not used since."""

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.labels and self.created_before is None and self.last_used_before is None:
            raise ValueError("give labels, created_before or last_used_before: without any, all keys would be meant")
        return self


class BulkRevoked(Body):
    """What was revoked, or would be."""

    dry_run: bool
    """Nothing was changed."""
    keys: list[KeyView]
    """At most 500."""
    more: bool
    """There are others: ask again."""
