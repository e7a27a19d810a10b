"""The application: every domain's routes behind one transport; the database is opened at start, closed at the end."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request

from mizzen_controlplane.audit.refusals import record_refusal
from mizzen_controlplane.authorization.authority import RolesDecide
from mizzen_controlplane.domains import DOMAINS, RECOGNIZERS
from mizzen_controlplane.identity.first_start import ensure_organization
from mizzen_controlplane.kit import health, rendering
from mizzen_controlplane.kit.database import open_database
from mizzen_controlplane.kit.idempotency import release_claims_of_the_dead
from mizzen_controlplane.kit.plane import Plane, plane_of
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.kit.request_rates import Rate
from mizzen_controlplane.kit.secret_folder import ADMIN_ALONE, PROGRAMS, read_secrets
from mizzen_controlplane.kit.settings import KUBERNETES, Settings
from mizzen_controlplane.kit.subject import Reviewer
from mizzen_controlplane.kit.transport import Transport
from mizzen_controlplane.models.content.opening import open_content
from mizzen_controlplane.schema import upgrade
from mizzen_controlplane.sign_in.first_admin import ensure_local_admin

if TYPE_CHECKING:
    from mizzen_kube.api import Api


def create_app(settings: Settings) -> FastAPI:
    """The control plane for `settings`; nothing is opened before it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            plane = await _start(settings, stack)
            app.state.plane = plane
            for domain in DOMAINS:
                if domain.background is not None:
                    await stack.enter_async_context(domain.background(plane))
            yield

    app = FastAPI(
        title="Mizzen control plane", version=version("mizzen-controlplane"), openapi_url=None, lifespan=lifespan
    )
    app.include_router(health.router)
    for domain in DOMAINS:
        app.include_router(domain.router)
    rendering.install(app, _refused)
    app.add_middleware(
        Transport,
        max_body_bytes=settings.max_body_bytes,
        trusted_proxies=settings.trusted_proxies,
        refusals=Rate(settings.refusals_per_minute / 60, settings.refusals_per_minute),
    )
    app.state.requests = Rate(settings.requests_per_second, 2 * settings.requests_per_second)
    return app


async def _start(settings: Settings, stack: AsyncExitStack) -> Plane:
    secrets = read_secrets(settings.secrets_dir, ADMIN_ALONE if settings.accounts else PROGRAMS, settings.named_secrets)
    api = await _api_server(stack) if settings.accounts or settings.store == KUBERNETES else None
    reviewer = _reviewer(api, settings.accounts) if api is not None and settings.accounts else None
    database = open_database(settings.database_url)
    stack.push_async_callback(database.close)
    await upgrade(database)
    await release_claims_of_the_dead(database)
    organization = await ensure_organization(database, settings)
    database.signals.start()
    cluster = api if settings.store == KUBERNETES else None
    await ensure_local_admin(settings, database, organization)
    content = open_content(settings)
    return Plane(
        settings, secrets, database, organization.id, organization.currency, content, reviewer, cluster, RECOGNIZERS,
        RolesDecide(),
    )  # fmt: skip


async def _api_server(stack: AsyncExitStack) -> "Api":
    # Here, because one machine has no API server and need not load its client.
    from mizzen_kube.api import open_api
    from mizzen_kube.environment import from_environment
    from mizzen_kube.transport import Patience

    # A caller of this API waits as well, and with SQLite all other writers do.
    patience = Patience(connect=2.0, request=10.0)
    return await stack.enter_async_context(open_api(await from_environment(), patience=patience))


def _reviewer(api: "Api", accounts: Mapping[str, str]) -> Reviewer:
    from mizzen_controlplane.cluster.token_review import TokenReviewer  # as above

    return TokenReviewer(api, accounts)


async def _refused(request: Request, problem: Problem) -> None:
    await record_refusal(plane_of(request), problem, request)
