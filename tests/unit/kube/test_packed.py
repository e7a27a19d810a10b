"""A packed manifest comes out as it went in, and a second one of its kind takes little."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mizzen_kube.packed import Packing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50)  # of objects that are dear to make
@given(st.lists(st.dictionaries(st.text(), JSON), min_size=1, max_size=5))
def test_nothing_is_lost(manifests: list[dict]) -> None:
    pack = Packing()
    packed = [pack(manifest) for manifest in manifests]
    assert [each.manifest for each in packed] == manifests


def test_a_second_object_of_a_template_takes_a_fraction() -> None:
    pack = Packing()

    def deployment(name: str) -> dict:
        containers = [{"name": str(n), "image": f"registry.example/{n}", "args": ["--a", "--b"]} for n in range(20)]
        return {"metadata": {"name": name}, "spec": {"containers": containers}}

    pack(deployment("first"))
    assert pack(deployment("second")).size < 100


def test_what_is_taken_out_may_be_changed() -> None:
    packed = Packing()({"a": {"b": 1}})
    packed.manifest["a"]["b"] = 2
    assert packed.manifest == {"a": {"b": 1}}
