"""Where does an act take place? In the organization, in one of its projects, or at one resource of a project."""

from dataclasses import dataclass, field
from typing import Final

from fastapi import Request

_RESOURCES: Final = (("/models/{model}", "model"), ("/deployments/{name}", "deployment"))
"""Part of a route's path, with the kind of what it leads to; the parameter is the one that the part names."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place, and all that is below it."""

    project: str = ""
    """Id of the project (of a path: id or name, as it says); empty for the organization."""
    resource: str = ""
    """`model/<name>` or `deployment/<name>`; empty for the whole project."""

    def covers(self, other: "Place") -> bool:
        """Whether `other` is this place, or below it."""
        if not self.project:
            return True
        return self.project == other.project and (not self.resource or self.resource == other.resource)


@dataclass(frozen=True, slots=True)
class Reach:
    """In which projects somebody may do something."""

    everywhere: bool = True
    """In all but `projects`; else in `projects` alone."""
    projects: frozenset[str] = field(default_factory=frozenset)
    """Ids."""


def place_of(request: Request) -> Place:
    """Where the path of `request` leads, in the words of the path."""
    route: str = request.scope["route"].path
    parameters: dict[str, str] = request.path_params
    for part, kind in _RESOURCES:
        if part in route and "project" in parameters:
            name = part.rpartition("{")[2].removesuffix("}")
            return Place(parameters["project"], f"{kind}/{parameters[name]}")
    return Place(parameters.get("project", ""))
