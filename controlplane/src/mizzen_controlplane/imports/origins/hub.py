"""Repositories of models on a hub that speaks the API of Hugging Face, each file of the very commit that was meant."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from mizzen_controlplane.imports.choosing import chosen
from mizzen_controlplane.imports.origin import Listing, OriginFile
from mizzen_controlplane.imports.origins.https import WebFiles
from mizzen_controlplane.imports.source import Source
from mizzen_controlplane.imports.web import Web
from mizzen_controlplane.kit.problem import Invalid


class _Large(BaseModel):
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Sibling(BaseModel):
    rfilename: str
    size: Annotated[int, Field(ge=0)] | None = None
    lfs: _Large | None = None


class _Repository(BaseModel):
    sha: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")]
    siblings: list[_Sibling]


class Hub(WebFiles):
    """One repository at one revision; without one, at what `main` is now."""

    def __init__(self, web: Web, hub_url: str, source: Source, patterns: Sequence[str]) -> None:
        super().__init__(web)
        name, _, revision = source.path.partition("@")
        self._repository = quote(f"{source.host}/{name}" if name else source.host)
        self._hub_url, self._revision, self._patterns = hub_url, revision or "main", patterns

    async def listing(self) -> Listing:
        """The files of the commit, with the digests of the large ones; raises Problem, and TryLaterError."""
        revision = quote(self._revision, safe="")
        said, _ = await self.web.json(f"{self._hub_url}/api/models/{self._repository}/revision/{revision}?blobs=true")
        try:
            found = _Repository.model_validate(said)
        except ValidationError as error:
            raise Invalid(
                "The hub answers with something that is no repository: check MIZZEN_HUB_URL.", code="origin_refused"
            ) from error
        at = f"{self._hub_url}/{self._repository}/resolve/{found.sha}/"
        files = (
            OriginFile(one.rfilename, at + quote(one.rfilename), one.size, one.lfs.sha256 if one.lfs else "")
            for one in found.siblings
        )
        return chosen(Listing(tuple(files), found.sha), self._patterns)
