"""The Project object and its spec."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mizzen_crds.rules import refuse_broken
from mizzen_crds.v1alpha1.metadata import DnsLabel, ObjectMeta
from mizzen_crds.v1alpha1.project.allowance import ProjectBudget, ProjectLimit, ProjectQueue, ProjectQuota
from mizzen_crds.v1alpha1.project.rules import PROJECT_ROOT_RULES, PROJECT_RULES
from mizzen_crds.v1alpha1.project.status import ProjectStatus
from mizzen_crds.wire import AS_SET, Resource, keyed_by


class PodSecurity(StrEnum):
    """Level of Pod Security that the namespaces enforce."""

    RESTRICTED = "Restricted"
    BASELINE = "Baseline"
    UNMANAGED = "Unmanaged"


class NetworkIsolation(StrEnum):
    """Traffic of pods for which no other policy speaks."""

    DEFAULT_DENY = "DefaultDeny"
    UNMANAGED = "Unmanaged"


class ModelCode(StrEnum):
    """Whether models may carry code."""

    REFUSED = "Refused"
    ALLOWED = "Allowed"


class MemberKind(StrEnum):
    """What a member is."""

    USER = "User"
    GROUP = "Group"
    SERVICE_ACCOUNT = "ServiceAccount"


class MemberRole(StrEnum):
    """What a member may do with Mizzen's objects in the project's namespaces."""

    VIEW = "View"
    EDIT = "Edit"
    ADMIN = "Admin"


class Member(Resource):
    """Someone who may work in the project's namespaces."""

    kind: MemberKind
    """User and Group as the API server's authentication names them; ServiceAccount for a program."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=317)]
    """Name; `namespace/name` for a ServiceAccount."""
    role: MemberRole = MemberRole.VIEW
    """View reads Mizzen's objects, Edit also writes them, Admin also gives others a role in the namespaces."""


class ProjectSpec(Resource):
    """A tenant: where it works, how much it may use, and who belongs to it."""

    display_name: Annotated[str, StringConstraints(max_length=128)] = ""
    """Name for people."""
    namespaces: Annotated[list[DnsLabel], Field(max_length=16, json_schema_extra=AS_SET)] = []
    """Namespaces whose workloads are the project's; made where they are missing. Default: one of the project's name."""
    pod_security: PodSecurity = PodSecurity.RESTRICTED
    """Level that the namespaces enforce; engine pods meet Restricted. Unmanaged leaves the namespaces' labels alone."""
    network_isolation: NetworkIsolation = NetworkIsolation.DEFAULT_DENY
    """DefaultDeny: pods without a policy of their own neither send nor receive. Unmanaged: no such policy."""
    quota: ProjectQuota = ProjectQuota()
    """What the project may keep, and its pods may hold at once."""
    queue: ProjectQueue | None = None
    """Admission by Kueue; by default a ResourceQuota in each namespace holds the quota."""
    limits: Annotated[list[ProjectLimit], Field(max_length=32, json_schema_extra=keyed_by("name"))] = []
    """Rate limits of requests and tokens."""
    budgets: Annotated[list[ProjectBudget], Field(max_length=16, json_schema_extra=keyed_by("name"))] = []
    """Money for each calendar month."""
    model_code: ModelCode = ModelCode.REFUSED
    """Allowed: models may carry code (pickle, a Triton repository with model.py), after a scan."""
    members: Annotated[list[Member], Field(max_length=64, json_schema_extra=keyed_by("kind", and_by="name"))] = []
    """Who may work in the namespaces, each once."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(PROJECT_RULES, self, "spec")
        return self


class Project(Resource):
    """A tenant as code."""

    api_version: Literal["mizzen.dev/v1alpha1"] = "mizzen.dev/v1alpha1"
    """mizzen.dev/v1alpha1."""
    kind: Literal["Project"] = "Project"
    """Project."""
    metadata: ObjectMeta
    """Identity and bookkeeping."""
    spec: ProjectSpec
    """What is wanted."""
    status: ProjectStatus = ProjectStatus()
    """What became of it."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(PROJECT_ROOT_RULES, self)
        return self

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that the project asks for: those of the spec, else one of its own name."""
        return tuple(self.spec.namespaces) or (self.metadata.name,)
