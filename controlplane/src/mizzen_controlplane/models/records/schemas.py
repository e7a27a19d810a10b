"""Cards, lineage and results of evaluations on the wire."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from mizzen_controlplane.kit.wire import Body, Labels, Resource, example

MAX_CARD_BYTES = 256 * 1024
MAX_TAGS = 100
MAX_TAG_NAME = 250
MAX_TAG_VALUE = 5000


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text has no NUL character; remove it")
    return text


def _bounded_card(text: str) -> str:
    found = len(text.encode())
    if found > MAX_CARD_BYTES:
        raise ValueError(f"the card has {found} bytes, and {MAX_CARD_BYTES} is the most; link to what is longer")
    return _without_nul(text)


def _without_password(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        secret = parts.password
    except ValueError as error:
        raise ValueError(f"the URI cannot be read ({error}); write it as scheme://host/path") from error
    if secret is not None:
        raise ValueError("the URI carries a password, which everyone who reads the version would see; leave it out")
    return _without_nul(uri)


def few_tags(tags: dict[str, str | None]) -> dict[str, str | None]:
    """Raises ValueError over the limits."""
    if len(tags) > MAX_TAGS:
        raise ValueError(f"at most {MAX_TAGS} tags, and there are {len(tags)}")
    for name, value in tags.items():
        if not 1 <= len(name) <= MAX_TAG_NAME or len(value or "") > MAX_TAG_VALUE:
            raise ValueError(
                f"a tag's name has 1 to {MAX_TAG_NAME} characters and its value at most {MAX_TAG_VALUE}; shorten "
                f"{name[:40]!r}"
            )
    return tags


Tags = Annotated[dict[str, str], AfterValidator(few_tags)]
"""At most 100 tags."""
TagsPatch = Annotated[dict[str, str | None], AfterValidator(few_tags)]
"""Merged into the tags; null removes one."""
ShortText = Annotated[str, StringConstraints(max_length=253), AfterValidator(_without_nul)]
Uri = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_without_password)]
CardText = Annotated[str, AfterValidator(_bounded_card)]
MetricName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_ ./@%-]*$")
]


class CardPut(Body):
    """A card."""

    model_config = example({"text": "# Sentiment\n\nTells praise from blame in reviews."})

    text: CardText
    """Markdown, at most 256 KiB. It is stored and given back as it is: render it with HTML switched off."""


class CardView(Resource):
    """A card; its name is that of the model, or `model@version`."""

    text: str
    """Markdown."""


class Dataset(Body):
    """What it was trained on."""

    name: ShortText = ""
    """Such as reviews-2026-10."""
    uri: Uri = ""
    """Where it lies."""
    digest: ShortText = ""
    """Of its content, such as sha256:..."""


class CodeRevision(Body):
    """What it was trained with."""

    repository: Uri = ""
    """Where the code lies."""
    revision: ShortText = ""
    """Commit."""


class TrainingRun(Body):
    """Which run made it."""

    name: ShortText = ""
    """Its id or name where runs are tracked."""
    uri: Uri = ""
    """Where it can be looked at."""


class ParentRef(Body):
    """A version of this project that this one was made from, such as one that was tuned further."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Id or name of its model."""
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """Its number."""


class Origin(Body):
    """Where it was imported from; an import writes it, and nobody changes it."""

    source: Uri
    """As it was named."""
    revision: ShortText
    """What that was exactly: a commit, a digest."""


class Lineage(Body):
    """Where a version comes from, as its makers say."""

    dataset: Dataset | None = None
    """What it was trained on."""
    code: CodeRevision | None = None
    """What it was trained with."""
    training_run: TrainingRun | None = None
    """Which run made it."""
    parent: ParentRef | None = None
    """The version that it was made from; older than it, and of the same project."""
    origin: Origin | None = None
    """Where it was imported from; written by the import alone."""


class Relative(BaseModel):
    """A version in a line of descent."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    version_id: str
    """mv_..."""
    model: str
    """Name of its model."""
    version: int
    """Its number."""
    state: str
    """Where it stands."""


class Descent(BaseModel):
    """Where a version comes from, and what came from it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    lineage: Lineage
    """As its makers say."""
    ancestors: list[Relative]
    """Its parent, that one's parent and so on: at most 100."""
    children: list[Relative]
    """Versions that name it as their parent, the newest 100."""


class EvaluationCreate(Body):
    """A result of an evaluation."""

    model_config = example({"name": "accuracy", "value": 0.93, "dataset": "reviews-2026-10"})

    name: MetricName
    """The metric, such as accuracy."""
    value: Annotated[float, Field(allow_inf_nan=False)]
    """Finite."""
    unit: Annotated[str, StringConstraints(max_length=32), AfterValidator(_without_nul)] = ""
    """Such as ms or %; empty for a plain number."""
    dataset: ShortText = ""
    """What it was evaluated on."""
    labels: Labels = Field(default_factory=dict)
    """The caller's own."""


class EvaluationView(Resource):
    """A result of an evaluation; its name is the metric's. Of one metric the newest counts."""

    model: str
    """Name of the model."""
    version: int
    """Number of the version."""
    value: float
    """The result."""
    unit: str
    """Its unit."""
    dataset: str
    """What it was evaluated on."""
    created_by: str
    """Who posted it."""
