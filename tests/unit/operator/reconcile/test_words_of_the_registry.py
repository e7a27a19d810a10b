"""What does a deployment say of a reference that the control plane refuses? The field once, then the server's words."""

from typing import Any

import pytest
from mizzen_operator.observation import Refusal
from mizzen_operator.reconcile.registry import Registry
from support.deployments import deployment


class Refusing:
    """A control plane that knows no version 9."""

    async def get(self, path: str, params: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer as it does."""
        assert path == "internal/v1/models:resolve"
        return 404, {"code": "version_not_found", "detail": f"{params['model']!r} has no version 9."}


SENTIMENT: dict[str, Any] = {"versionRef": {"model": "sentiment", "version": 9}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"model": SENTIMENT}, "spec.model.versionRef: 'sentiment' has no version 9."),
        (
            {
                "model": {"uri": "hf://a/b"},
                "engine": {"type": "vLLM"},
                "adapters": [{"name": "polite", "versionRef": {"model": "polite", "version": 9}}],
            },
            "spec.adapters[0].versionRef: 'polite' has no version 9.",
        ),
    ],
)
async def test_the_field_that_is_refused_is_named_once(spec: dict[str, Any], said: str) -> None:
    answer = await Registry(Refusing()).resolve(deployment(**spec), "team")  # type: ignore[arg-type]  # the one question is played
    assert answer == Refusal("VersionNotFound", said)
