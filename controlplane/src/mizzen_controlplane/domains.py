"""Which domains the control plane is made of: their routes, and what runs in the background beside them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import APIRouter

from mizzen_controlplane.access import endpoints as access
from mizzen_controlplane.access.boundaries import boundaries_passed
from mizzen_controlplane.allowances import endpoints as allowances
from mizzen_controlplane.archiving import endpoints as archiving
from mizzen_controlplane.audit import endpoints as audit
from mizzen_controlplane.audit.anchoring import trail_kept
from mizzen_controlplane.authorization import endpoints as authorization
from mizzen_controlplane.authorization import role_endpoints as roles
from mizzen_controlplane.batches import batch_endpoints as batches
from mizzen_controlplane.batches import endpoints as files
from mizzen_controlplane.batches.upkeep import content_kept
from mizzen_controlplane.budgets import endpoints as budgets
from mizzen_controlplane.cluster import endpoints as cluster
from mizzen_controlplane.cluster.projects import projects_followed
from mizzen_controlplane.deployments import endpoints as deployments
from mizzen_controlplane.deployments import observation_endpoints as observations
from mizzen_controlplane.grants import endpoints as grants
from mizzen_controlplane.identity import endpoints as identity
from mizzen_controlplane.imports import endpoints as imports
from mizzen_controlplane.imports.credentials import endpoints as import_credentials
from mizzen_controlplane.imports.work import imports_done
from mizzen_controlplane.invoices import credit_endpoints as credits_in_hand
from mizzen_controlplane.invoices import endpoints as invoices
from mizzen_controlplane.invoices import focus_endpoints as focus
from mizzen_controlplane.invoices import profile_endpoints as billing_profiles
from mizzen_controlplane.kit.plane import Plane, Recognizer
from mizzen_controlplane.limits import endpoints as limits
from mizzen_controlplane.metering import endpoints as metering
from mizzen_controlplane.metering.drift import drift_watched
from mizzen_controlplane.models import artifact_endpoints as artifacts
from mizzen_controlplane.models import endpoints as models
from mizzen_controlplane.models import version_endpoints as versions
from mizzen_controlplane.models.records import endpoints as records
from mizzen_controlplane.models.scanning import endpoints as scans
from mizzen_controlplane.models.scanning.scanner import scanner_closed
from mizzen_controlplane.models.signing import endpoints as signatures
from mizzen_controlplane.models.works import WORKS
from mizzen_controlplane.operations import endpoints as operations
from mizzen_controlplane.operations.running import running
from mizzen_controlplane.pricing import endpoints as pricing
from mizzen_controlplane.privacy import endpoints as privacy
from mizzen_controlplane.quotas import endpoints as quotas
from mizzen_controlplane.sealing import endpoints as sealing
from mizzen_controlplane.service_accounts import endpoints as service_accounts
from mizzen_controlplane.service_accounts.recognition import recognize as recognize_service_account
from mizzen_controlplane.sign_in import auth_endpoints as authentication
from mizzen_controlplane.sign_in import endpoints as sign_in
from mizzen_controlplane.sign_in.openid import endpoints as openid
from mizzen_controlplane.sign_in.openid.bearer import recognize as recognize_bearer
from mizzen_controlplane.sign_in.openid.provider import providers_known
from mizzen_controlplane.sign_in.recognition import recognize as recognize_session
from mizzen_controlplane.webhooks import endpoints as webhooks
from mizzen_controlplane.webhooks.delivering import webhooks_served

Background = Callable[[Plane], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Domain:
    """One folder of the control plane."""

    name: str
    router: APIRouter
    background: Background | None = None
    """Entered at start and left at the end: for loops such as an expiry."""
    recognize: Recognizer | None = None
    """Who it is that a request comes from, for a kind of token or session that the domain keeps."""


DOMAINS = (
    Domain("identity", identity.router),
    Domain("archiving", archiving.router),
    Domain("authorization", authorization.router),
    Domain("roles", roles.router),
    Domain("audit", audit.router, trail_kept),
    Domain("privacy", privacy.router),
    Domain("models", models.router),
    Domain("versions", versions.router),
    Domain("records", records.router),
    Domain("scans", scans.router, scanner_closed),
    Domain("signatures", signatures.router),
    Domain("artifacts", artifacts.router),
    Domain("cluster", cluster.router, projects_followed),
    Domain("deployments", deployments.router),
    Domain("observations", observations.router),
    Domain("access", access.router, boundaries_passed),
    Domain("grants", grants.router),
    Domain("limits", limits.router),
    Domain("allowances", allowances.router),
    Domain("quotas", quotas.router),
    Domain("budgets", budgets.router),
    Domain("pricing", pricing.router),
    Domain("metering", metering.router, drift_watched),
    Domain("invoices", invoices.router),
    Domain("credits", credits_in_hand.router),
    Domain("focus", focus.router),
    Domain("billing-profiles", billing_profiles.router),
    Domain("files", files.router, content_kept),
    Domain("batches", batches.router),
    Domain("webhooks", webhooks.router, webhooks_served),
    Domain("sealing", sealing.router, sealing.sealed_anew),
    Domain("imports", imports.router, imports_done),
    Domain("import-credentials", import_credentials.router),
    Domain("operations", operations.router, running(WORKS)),
    Domain("service-accounts", service_accounts.router, recognize=recognize_service_account),
    Domain("sign-in", sign_in.router, recognize=recognize_session),
    Domain("authentication", authentication.router),
    Domain("openid", openid.router, providers_known, recognize=recognize_bearer),
)

RECOGNIZERS = tuple(domain.recognize for domain in DOMAINS if domain.recognize is not None)
