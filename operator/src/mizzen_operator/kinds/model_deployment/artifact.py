"""Which bytes does a deployment serve? The resolved model source, as the plan needs it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mizzen_crds.registry import MemoryFacts, ResolvedVersion
from mizzen_crds.v1alpha1.model_deployment.source import Adapter, ModelSource
from mizzen_crds.v1alpha1.model_deployment.status import ResolvedAdapter, ResolvedModel


@dataclass(frozen=True)
class Artifact:
    """The artifact behind `spec.model`, resolved by whoever runs the pass."""

    uri: str
    """Where the fetch container gets it: `mizzen://<version id>`, or the spec's own uri."""
    digest: str = ""
    """sha256:... of the manifest; empty where only the fetch can tell."""
    format: str = ""
    """Format, as in ModelFormat; empty where nobody said."""
    size_bytes: int = 0
    """Bytes of all files; 0 where only the fetch can tell."""
    version: int | None = None
    """Number of the version, for a versionRef."""
    alias: str = ""
    """The versionRef's alias that means this version; empty where the number was asked for."""
    architecture: str = ""
    """Architecture, as the artifact names it."""
    parameters: int | None = None
    """Number of parameters."""
    source: str = ""
    """For people: `model@version` for a versionRef, else the uri."""
    allow_code: bool = False
    """The project allows artifacts that carry code."""
    memory: MemoryFacts | None = None
    """What headers and configuration tell of its memory; None where nobody has read them."""
    adapters: "tuple[AdapterArtifact, ...]" = ()
    """What is loaded beside it."""

    @property
    def identity(self) -> str:
        """What pods of a revision share: the digest, with adapters theirs too; of a uri without one, the uri."""
        beside = [f"{one.name}={one.artifact.digest or one.artifact.uri}" for one in self.adapters]
        return " ".join([self.digest, *beside])

    def to_status(self) -> ResolvedModel:
        """What the status says about it."""
        return ResolvedModel(
            source=self.source,
            digest=self.digest,
            uri=self.uri,
            version=self.version,
            alias=self.alias,
            format=self.format,
            size_bytes=self.size_bytes,
            architecture=self.architecture,
            parameters=self.parameters,
        )


@dataclass(frozen=True)
class AdapterArtifact:
    """A LoRA adapter that the engine loads beside the model."""

    name: str
    """Name that callers put in "model"."""
    artifact: Artifact

    def to_status(self) -> ResolvedAdapter:
        """What the status says about it."""
        one = self.artifact
        return ResolvedAdapter(
            name=self.name, source=one.source, digest=one.digest, uri=one.uri, version=one.version, alias=one.alias
        )


def with_adapters(model: Artifact, adapters: Iterable[tuple[str, Artifact]]) -> Artifact:
    """Return the model with what is loaded beside it, by name."""
    return replace(model, adapters=tuple(AdapterArtifact(name, artifact) for name, artifact in adapters))


def artifact_of_version(version: ResolvedVersion, alias: str = "") -> Artifact:
    """Return the artifact of a versionRef, from the registry's answer; `alias` where that was asked for."""
    return Artifact(
        uri=f"mizzen://{version.version_id}",
        digest=version.digest,
        format=version.format,
        size_bytes=version.size_bytes,
        version=version.version,
        alias=alias,
        source=f"{version.model}@{version.version}",
        architecture=version.signature.architecture,
        parameters=version.signature.parameters,
        allow_code=version.allow_code,
        memory=version.signature.memory,
    )


def artifact_of_uri(source: ModelSource | Adapter) -> Artifact:
    """Return the artifact of a `uri`. Code in artifacts from outside the registry is never allowed."""
    if source.uri is None:
        raise ValueError("uri: not set; a versionRef is resolved by the registry")
    if isinstance(source, Adapter):
        return Artifact(uri=source.uri, source=source.uri)
    return Artifact(uri=source.uri, source=source.uri, digest=source.digest or "", format=source.format or "")
