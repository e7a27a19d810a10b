"""May an object that stood there before a rule was made still be changed elsewhere?"""

from typing import Any

import pytest
from mizzen_controlplane.cluster.objects import Document, ObjectKey
from mizzen_controlplane.cluster.validation import validated
from mizzen_controlplane.kit.problem import Invalid

KEY = ObjectKey("ModelDeployment", "default", "chat")


def _chat(resources: dict[str, Any], replicas: int = 1) -> Document:
    spec = {"model": {"uri": "hf://a/b"}, "engine": {"type": "vLLM"}, "resources": resources, "replicas": replicas}
    return {"metadata": {"name": "chat"}, "spec": spec}


ON_CPUS, ON_ONE = {"acceleratorClass": "h100"}, {"acceleratorClass": "h100", "acceleratorsPerPod": 1}


def test_what_an_earlier_release_took_may_be_changed_elsewhere() -> None:
    assert validated(KEY, _chat(ON_CPUS, 2), before=_chat(ON_CPUS))["spec"]["replicas"] == 2


@pytest.mark.parametrize("before", [None, _chat(ON_ONE), _chat({})], ids=["new", "kept it", "had no class"])
def test_what_is_new_or_was_right_is_held_to_every_rule(before: Document | None) -> None:
    with pytest.raises(Invalid, match="must be at least 1 with acceleratorClass"):
        validated(KEY, _chat(ON_CPUS), before=before)
