"""Versions of an MLflow registry, read from the server itself: it must serve the artifacts, as it does by default."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, unquote, urlencode

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mizzen_controlplane.imports.choosing import chosen
from mizzen_controlplane.imports.origin import Listing, OriginFile
from mizzen_controlplane.imports.origins.https import WebFiles
from mizzen_controlplane.imports.source import Source
from mizzen_controlplane.imports.web import Web
from mizzen_controlplane.kit.problem import Invalid, invalid_field
from mizzen_controlplane.models.schemas import MAX_FILES

API: Final = "/api/2.0"
Answer = TypeVar("Answer")
_NAMED = re.compile(r"^models:/([^/@?]+)(?:/([0-9]{1,9})|@([^/@?]+))$")
_SERVED = re.compile(r"^mlflow-artifacts:(?://[^/]*)?/+(.*)$")


class _Version(BaseModel):
    name: str
    version: str
    run_id: str | None = ""


class _Said(BaseModel):
    model_version: _Version


class _Entry(BaseModel):
    path: str
    is_dir: bool = False
    file_size: Annotated[int, Field(ge=0)] | None = None


class _Folder(BaseModel):
    files: list[_Entry] = Field(default_factory=list)


def model_named(source: Source) -> tuple[str, str, str]:
    """Name, version and alias, of which one is empty; raises Invalid."""
    found = _NAMED.match(source.path)
    if found is None:
        raise invalid_field(
            "/source",
            "Of an MLflow server a version of a model is imported: mlflow://host/models:/name/version, or "
            "mlflow://host/models:/name@alias.",
            code="source_malformed",
        )
    return unquote(found[1]), found[2] or "", unquote(found[3] or "")


class MlflowServer(WebFiles):
    """One version of one registered model."""

    def __init__(self, web: Web, source: Source, patterns: Sequence[str]) -> None:
        super().__init__(web)
        self._origin, self._patterns = source.origin, patterns
        self._named = model_named(source)

    async def listing(self) -> Listing:
        """All files of the version; raises Problem, and TryLaterError."""
        version = await self._version()
        asked = {"name": version.name, "version": version.version}
        said = await self._read("mlflow/model-versions/get-download-uri", asked, TypeAdapter(dict[str, str]))
        served = _SERVED.match(said.get("artifact_uri", ""))
        if served is None:
            raise Invalid(
                f"The server keeps {version.name} {version.version} in {said.get('artifact_uri', '')[:64]!r} and does "
                "not serve its artifacts itself. Start it with --serve-artifacts, or push the files.",
                code="artifacts_not_served",
            )
        files: list[OriginFile] = []
        await self._walk(served[1].rstrip("/"), "", files)
        revision = f"{version.name}/{version.version}" + (f" run {version.run_id}" if version.run_id else "")
        return chosen(Listing(tuple(files), revision[:253]), self._patterns)

    async def _version(self) -> _Version:
        name, number, alias = self._named
        if alias:
            asked, path = {"name": name, "alias": alias}, "mlflow/registered-models/alias"
        else:
            asked, path = {"name": name, "version": number}, "mlflow/model-versions/get"
        return (await self._read(path, asked, TypeAdapter(_Said))).model_version

    async def _walk(self, root: str, folder: str, files: list[OriginFile]) -> None:
        at = f"{root}/{folder}".rstrip("/")
        for one in (await self._read("mlflow-artifacts/artifacts", {"path": at}, TypeAdapter(_Folder))).files:
            path = f"{folder}/{one.path}".lstrip("/")
            if one.is_dir and path.count("/") < 16:
                await self._walk(root, path, files)
            elif not one.is_dir:
                url = f"{self._origin}{API}/mlflow-artifacts/artifacts/{quote(f'{root}/{path}')}"
                files.append(OriginFile(path, url, one.file_size))
            if len(files) > MAX_FILES:
                return  # the number is refused for all kinds of origins alike

    async def _read(self, path: str, asked: dict[str, str], kind: TypeAdapter[Answer]) -> Answer:
        said, _ = await self.web.json(f"{self._origin}{API}/{path}?{urlencode(asked)}")
        try:
            return kind.validate_python(said)
        except ValidationError as error:
            raise Invalid(
                "The server does not answer as MLflow does: check the source.", code="origin_refused"
            ) from error
