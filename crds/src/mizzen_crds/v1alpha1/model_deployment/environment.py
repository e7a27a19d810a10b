"""Which variables may a user set for an engine? None that changes what code runs or where weights come from."""

from typing import Final

REFUSED_PREFIXES: Final = (
    "LD_",
    "PYTHON",
    "HF_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "MIZZEN_",
    "POD_",
    "NVIDIA_",
    "KUBERNETES_",
)
"""Loader, interpreter, sources of weights, the platform's own variables, and the accelerators that a container sees."""

REFUSED_NAMES: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "BASH_ENV",
    "ENV",
    "GLIBC_TUNABLES",
    "CUDA_VISIBLE_DEVICES",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
"""Single names of the same kinds, and proxies and trust anchors, which decide what a fetch talks to."""

VLLM_PREFIX: Final = "VLLM_"
VLLM_ALLOWED: Final = (
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN",
    "VLLM_ATTENTION_BACKEND",
    "VLLM_CPU_KVCACHE_SPACE",
    "VLLM_CPU_OMP_THREADS_BIND",
    "VLLM_LOGGING_LEVEL",
    "VLLM_WORKER_MULTIPROC_METHOD",
)
"""vLLM's variables that only tune; the others may load code or open development endpoints."""

ENV_REFUSAL: Final = (
    f"names that begin with {', '.join(REFUSED_PREFIXES)}, VLLM_ (but {', '.join(VLLM_ALLOWED)}), and PATH, HOME, "
    "TMPDIR, proxies, certificates and visible devices are the platform's; remove the entry"
)


def env_refused(name: str) -> bool:
    """Whether a user may not set the variable."""
    if name.startswith(VLLM_PREFIX):
        return name not in VLLM_ALLOWED
    return name.startswith(REFUSED_PREFIXES) or name in REFUSED_NAMES


def env_refused_cel(variable: str) -> str:
    """The CEL expression that is true where `env_refused` is false; `variable` is an expression for the name."""
    prefixes = " && ".join(f"!{variable}.startsWith('{prefix}')" for prefix in REFUSED_PREFIXES)
    names, vllm = (", ".join(f"'{name}'" for name in listed) for listed in (REFUSED_NAMES, VLLM_ALLOWED))
    tunes = f"(!{variable}.startsWith('{VLLM_PREFIX}') || {variable} in [{vllm}])"
    return f"{prefixes} && !({variable} in [{names}]) && {tunes}"
