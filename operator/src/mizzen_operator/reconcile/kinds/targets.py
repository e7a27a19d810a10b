"""By what are Projects and ModelRoutes found again? Names under which their pictures file them. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

Manifest = dict[str, Any]
PLACES = ("backends", "fallbacks", "mirrors", "pipeline")


def claimed_namespaces(project: Manifest) -> Iterable[str]:
    """Return every namespace that a project names: those of its spec, else the one of its name."""
    return tuple((project.get("spec") or {}).get("namespaces") or ()) or (project["metadata"]["name"],)


def backend_targets(route: Manifest) -> Iterable[str]:
    """Return what a route depends on: `deployment/<namespace>/<name>`, `route/<namespace>/<name>`,
    `model/<project>/<name>`, `name/<its served name>`, and `chained/<namespace>` where it names other routes.
    """
    return tuple(dict.fromkeys(_targets(route)))


def _targets(route: Manifest) -> Iterator[str]:
    metadata, spec = route["metadata"], route.get("spec") or {}
    namespace = metadata.get("namespace", "")
    yield f"name/{spec.get('servedModelName') or metadata['name']}"
    for rule in spec.get("rules") or ():
        for place in PLACES:
            for ref in rule.get(place) or ():
                if "deployment" in ref:
                    yield f"deployment/{namespace}/{ref['deployment']}"
                if "model" in ref:
                    yield f"model/{ref['model']}"
                if "route" in ref:
                    yield f"route/{namespace}/{ref['route']}"
                    yield f"chained/{namespace}"
