"""What are the parts of gateway.yaml made of? Names, amounts, secrets: the same rules wherever they stand."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints, model_validator

from mizzen_gateway.errors import CannotStartError

PICO: Final = 10**12
MOST_MONEY: Final = 9_000_000
"""Units of a currency: what 64 bits hold in 10^-12 of one."""
FOLDER: Final = "folder"
"""Key in the context of a validation: folder that paths in the file are relative to."""


class Section(BaseModel):
    """A part of the file: unknown fields are refused, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""Of an upstream, a project, a key, a limit, a budget."""
ServedName = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$")
]
"""What callers put into `model`; without a slash, which stands between a project and a model elsewhere."""
Whole = Annotated[int, Strict()]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86_400 * 365, allow_inf_nan=False)]


def _decimal(value: Any) -> Any:
    """As it is written: 0.15 is no binary fraction. Truth values are no amounts."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Money = Annotated[
    Decimal, BeforeValidator(_decimal), Field(ge=0, le=MOST_MONEY, decimal_places=12, allow_inf_nan=False)
]
"""In the file's currency."""
PerMillion = Annotated[
    Decimal, BeforeValidator(_decimal), Field(ge=0, le=MOST_MONEY, decimal_places=6, allow_inf_nan=False)
]
"""Money for a million tokens."""
Amount = Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0, le=10**15, decimal_places=12, allow_inf_nan=False)]
"""Requests, tokens or money."""


def _off(value: Any) -> Any:
    """YAML reads an unquoted `off` as false."""
    return "off" if value is False else value


OFF_UNQUOTED: Final = BeforeValidator(_off)
"""Of a choice that has `off`, with or without quotes."""


def pico(amount: Decimal) -> int:
    """10^-12 of the currency's unit."""
    return int(amount * PICO)


class Secret(Section):
    """Where a secret is: never in the file itself."""

    env: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Variable of the environment that holds it."""
    file: Path | None = None
    """File that holds it; read again when it changes."""

    @model_validator(mode="before")
    @classmethod
    def _no_secret(cls, value: Any) -> Any:
        if isinstance(value, str | int | float):
            raise ValueError("never stands in the file: write {env: NAME} or {file: path}, which say where it is")  # noqa: TRY004 - a mistake of the file
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("must have either `env` or `file`, which say where the secret is")
        return self

    def read(self, folder: Path, what: str) -> str:
        """The secret. Raises SecretMissingError, which names `what` wants it, but never the secret."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            place = f"the variable {self.env} of the environment"
        else:
            path = folder / (self.file or "")
            place = str(path)
            try:
                value = path.read_text()
            except (OSError, UnicodeDecodeError) as error:
                said = error.strerror if isinstance(error, OSError) else "is no text"
                raise SecretMissingError(
                    f"{what}: cannot read {place} ({said}); it must be a file of this user"
                ) from None
        value = value.strip()
        if not value:
            raise SecretMissingError(f"{what}: {place} is empty or not set; put the secret there")
        if not value.isascii() or not value.isprintable():
            raise SecretMissingError(
                f"{what}: {place} holds more than one line of printable ASCII; put the secret alone there"
            )
        return value


class SecretMissingError(CannotStartError):
    """A secret is not where the file says that it is."""
