"""Which secrets lie in a text? Well-known shapes of tokens, named and never repeated."""

import re
from typing import Final

from mizzen_controlplane.models.scanning.findings import Findings

SHAPES: Final = (
    ("a private key", re.compile(rb"-----BEGIN (?:(?:RSA|EC|DSA|OPENSSH|ENCRYPTED|PGP) )?PRIVATE KEY(?: BLOCK)?-----")),
    ("an AWS access key", re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("a GitLab token", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}\b")),
    ("a Hugging Face token", re.compile(rb"\bhf_[A-Za-z0-9]{34,}\b")),
    ("a Slack token", re.compile(rb"\bxox[baprs]-[0-9A-Za-z-]{20,}\b")),
    ("an OpenAI key", re.compile(rb"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{40,}\b")),
    ("an Anthropic key", re.compile(rb"\bsk-ant-[A-Za-z0-9_-]{40,}\b")),
    ("a Google API key", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a service account's key", re.compile(rb'"private_key_id"\s*:\s*"[0-9a-f]{40}"')),
    ("a Stripe key", re.compile(rb"\b[rs]k_live_[0-9A-Za-z]{24,}\b")),
    ("a PyPI token", re.compile(rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}")),
    ("an npm token", re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b")),
    ("a key of Mizzen", re.compile(rb"\bmz[tk]_[a-z0-9]+_[A-Za-z0-9]{43}(?:[0-9a-f]{8})?\b")),
    ("a password in a URL", re.compile(rb"\b[a-z][a-z0-9+.-]{2,20}://[^\s/:@\"']{1,64}:[^\s/:@\"']{4,128}@[A-Za-z0-9.-]+")),
)  # fmt: skip


def scan_text(file: str, content: bytes, found: Findings) -> None:
    """Add each secret in `content`, by its kind and line."""
    for kind, shape in SHAPES:
        for count, match in enumerate(shape.finditer(content)):
            line = content.count(b"\n", 0, match.start()) + 1
            found.add(file, "secret", "high", f"line {line} holds {kind}; revoke it, then push without it")
            if count >= 4:
                break
