"""What the text means that names where a version is."""

import pytest
from mizzen_controlplane.imports.source import Bucket, bucket_of, source_of
from mizzen_controlplane.kit.problem import Problem


def test_a_bucket_is_amazons_where_no_endpoint_is_named() -> None:
    amazon = bucket_of(source_of("s3://models/house/v%201?region=eu-central-1"))
    assert amazon == Bucket("models", "house/v 1", "https://s3.eu-central-1.amazonaws.com", "eu-central-1")
    own = bucket_of(source_of("s3://models?endpoint=http://127.0.0.1:7070"))
    assert own == Bucket("models", "", "http://127.0.0.1:7070", "us-east-1")


@pytest.mark.parametrize(
    "text",
    ["s3://models/x?endpoint=https://u:p@a.test", "s3://models/x?endpoint=https://a.test/path", "s3://M_/x",
     "s3://models/x?region=a/b", "s3://models/x?versionId=1", "s3://models/../x", "s3://models/x?secret=1"],
)  # fmt: skip
def test_what_names_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="cannot be taken"):
        bucket_of(source_of(text))
