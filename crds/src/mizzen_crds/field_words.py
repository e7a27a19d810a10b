"""What a pattern of a field means in words, for people who broke it."""

from typing import Final

PATTERN_WORDS: Final[dict[str, str]] = {
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": (
        "may hold lower-case letters, digits and `-` only, and must begin and end with a letter or digit, as in my-app"
    ),
    r"^[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$": (
        "may hold letters, digits, `-`, `.` and `_` only, and must begin and end with a letter or digit, as in "
        "my-model.v2"
    ),
    r"^[a-zA-Z]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$": (
        "may hold letters, digits, `-`, `.` and `_` only, must begin with a letter and end with a letter or digit, as "
        "in champion"
    ),
    r"^(\*|[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?)$": "must be a served name such as chat, or `*` for all",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$": (
        "must be a project, `/` and a served name, such as team-a/chat"
    ),
    r"^key_[a-z2-7]{20}$": "must be `key_` and 20 characters, as `mizzen gateway key` prints it",
    r"^[A-Z]{3}$": "must be a currency's code of three capital letters, such as EUR",
    r"^[0-9a-f]{64}$": "must be 64 hexadecimal digits in lower case",
    r"^(hf|s3|gs|az|https|oci|pvc)://[^\s]+$": (
        "must begin with one of hf://, s3://, gs://, az://, https://, oci://, pvc:// and hold no blank"
    ),
    r"^sha256:[0-9a-f]{64}$": "must be `sha256:` and 64 hexadecimal digits in lower case",
    r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$": "must be a quantity such as 500m, 4, or 16Gi",
    r"^[0-9]+(\.[0-9]+)?(m)?$": "must be a number such as 4, 0.5 or 500m",
    r"^/": "must begin with `/`",
    r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$": (
        "must be a domain, `/` and a name, such as nvidia.com/gpu"
    ),
    r"^[0-9]{1,9}(\.[0-9]{1,12})?$": "must be a decimal in quotes such as 2.49, with at most 12 digits after the point",
    r"^[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$": (
        "may hold letters, digits, `-`, `.`, `_` and `/` only, and must begin and end with a letter or digit"
    ),
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$": (
        "must be a project, `/` and a served name, such as team-a/chat"
    ),
    r"^[a-z0-9!#$%&'*+.^_`|~-]+$": "must be the name of a header in lower case",
}
"""Pattern, as the schema has it -> a sentence."""
