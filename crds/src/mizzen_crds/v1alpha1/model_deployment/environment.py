"""Which variables may a user set for an engine? None that changes what code runs or where weights come from."""

import re
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
    "OPENSSL_",
    "CUDA_INJECTION",
    "OMP_TOOL",
    "TORCHINDUCTOR",
    "TRITON_",
    "GIT_",
    "XDG_",
)
"""Loader, interpreter, sources of weights, the platform's own variables, the accelerators that a container sees, and
libraries, tools, compilers and caches of compiled code that an engine loads when a variable names them."""

REFUSED_PATTERN: Final = (
    "^(.*_[Pp][Rr][Oo][Xx][Yy]|AWS_.*ENDPOINT.*|NCCL_.*PLUGIN.*|TORCH.*_(HOME|CACHE_DIR|EXTENSIONS_DIR))$"
)
"""Proxies, other places of a cloud's storage, network libraries of NCCL, and code that torch keeps on disk."""

REFUSED_NAMES: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "BASH_ENV",
    "ENV",
    "GLIBC_TUNABLES",
    "CUDA_VISIBLE_DEVICES",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSLKEYLOGFILE",
    "NETRC",
    "SHELLOPTS",
    "GCONV_PATH",
    "LOCPATH",
    "NODE_OPTIONS",
    "NCCL_NET",
    "NCCL_CONF_FILE",
    "CUDA_HOME",
    "CUDA_PATH",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
)
"""Single names of the same kinds, and trust anchors, which decide what a fetch talks to."""

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
    "TMPDIR, proxies, endpoints, certificates, compilers, plugins, code caches and visible devices are the platform's; "
    "remove the entry"
)


def env_refused(name: str) -> bool:
    """Whether a user may not set the variable."""
    if name.startswith(VLLM_PREFIX):
        return name not in VLLM_ALLOWED
    return name.startswith(REFUSED_PREFIXES) or name in REFUSED_NAMES or re.fullmatch(REFUSED_PATTERN, name) is not None


def env_refused_cel(variable: str) -> str:
    """The CEL expression that is true where `env_refused` is false; `variable` is an expression for the name."""
    prefixes = " && ".join(f"!{variable}.startsWith('{prefix}')" for prefix in REFUSED_PREFIXES)
    names, vllm = (", ".join(f"'{name}'" for name in listed) for listed in (REFUSED_NAMES, VLLM_ALLOWED))
    tunes = f"(!{variable}.startsWith('{VLLM_PREFIX}') || {variable} in [{vllm}])"
    return f"{prefixes} && !({variable} in [{names}]) && !{variable}.matches('{REFUSED_PATTERN}') && {tunes}"
