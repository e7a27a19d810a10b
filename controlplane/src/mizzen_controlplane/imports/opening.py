"""Which kind of origin does a source mean?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mizzen_controlplane.egress.proxy import WayOut
from mizzen_controlplane.imports.credentials.showing import opened
from mizzen_controlplane.imports.origin import Origin
from mizzen_controlplane.imports.origins.https import WebServer
from mizzen_controlplane.imports.origins.hub import Hub
from mizzen_controlplane.imports.origins.mlflow import MlflowServer
from mizzen_controlplane.imports.origins.oci import Registry
from mizzen_controlplane.imports.source import bucket_of, source_of
from mizzen_controlplane.imports.web import nobody, web_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.operations.models import Operation


@asynccontextmanager
async def origin_of(plane: Plane, operation: Operation, way: WayOut) -> AsyncIterator[Origin]:
    """The origin of an import, reached through `way`."""
    source = source_of(operation.arguments["source"])
    credential = operation.arguments.get("credential")
    shown = await opened(plane, operation.project_id, credential) if credential else None
    names = operation.arguments["files"]
    if source.scheme == "s3":
        # Imported where it is used: the library takes memory that an installation without need not give.
        from mizzen_controlplane.imports.origins.s3 import S3Origin

        yield S3Origin(way, bucket_of(source), names, shown)
        return
    async with web_of(way, shown.headers if shown else nobody) as web:
        match source.scheme:
            case "hf":
                yield Hub(web, plane.settings.hub_url, source, names)
            case "oci":
                yield Registry(web, source, names)
            case "mlflow":
                yield MlflowServer(web, source, names)
            case _:
                yield WebServer(web, source, names)
