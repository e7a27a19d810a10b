"""Against whom is the gateway measured? Each peer pinned, installed without root on first use, set up for speed.

nginx comes from Debian's package, unpacked; the others from their wheels, in an environment each.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import interpreter
import yaml
from cluster.toolchain import cache_folder
from mizzen_cli.local.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
ROUTER, SGLANG, LITELLM = "vllm-router==0.1.17", "sglang-router==0.3.2", "litellm[proxy]==1.82.6"
"""litellm 1.82.7, 1.82.8 and 1.107.0 carried malware: this pin does not move on without a look at what it moves to."""
BODY = "64m"

NGINX_CONFIG = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 40000;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size {body};
  keepalive_requests 1000000;
  upstream engine {{ server 127.0.0.1:{engine}; keepalive 512; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      {extra}
    }}
  }}
}}
"""
WHOLE = "proxy_buffering on;"
STREAMED = "proxy_buffering off; proxy_read_timeout 3600s;"
LARGE = "proxy_request_buffering off; proxy_buffers 32 64k; proxy_busy_buffers_size 1m; proxy_max_temp_file_size 0;"
"""What suits each kind of answer best: nginx is never measured with a setting that slows it."""


@dataclass(frozen=True)
class Peer:
    """A program that was installed, and how it is started in front of an engine."""

    name: str
    version: str
    flags: str
    """For people: how it is started."""
    command: Callable[[Path, int, int], list[str]]
    """Of a folder of its own, its port and the engine's."""
    health: str = "/health"


def nginx(extra: str = WHOLE) -> Peer:
    """nginx as a plain proxy that keeps its connections."""
    program = _nginx()
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr

    def command(folder: Path, port: int, engine: int) -> list[str]:
        config = folder / "nginx.conf"
        config.write_text(NGINX_CONFIG.format(folder=folder, port=port, engine=engine, extra=extra, body=BODY))
        return [str(program), "-p", str(folder), "-c", str(config), "-e", "stderr"]

    return Peer("nginx", said.strip().rpartition("/")[2], f"worker_processes 1; access_log off; {extra}", command)


def vllm_router() -> Peer:
    """The Rust router of the vLLM project; round robin is its cheapest policy."""
    program = _environment(ROUTER) / "bin" / "vllm-router"
    flags = ["--policy", "round_robin", "--log-level", "error", "--prometheus-port"]

    def command(_folder: Path, port: int, engine: int) -> list[str]:
        to = ["--host", "127.0.0.1", "--port", str(port), "--worker-urls", f"http://127.0.0.1:{engine}"]
        return [str(program), *to, *flags, str(free_port({port, engine}))]

    return Peer("vllm-router", ROUTER.partition("==")[2], " ".join(flags[:-1]), command)


def sglang_router() -> Peer:
    """The Rust router of the SGLang project."""
    program = _environment(SGLANG) / "bin" / "sglang-router"
    flags = ["--policy", "round_robin", "--log-level", "error", "--prometheus-port"]

    def command(_folder: Path, port: int, engine: int) -> list[str]:
        to = ["--host", "127.0.0.1", "--port", str(port), "--worker-urls", f"http://127.0.0.1:{engine}"]
        return [str(program), "launch", *to, *flags, str(free_port({port, engine}))]

    return Peer("sglang-router", SGLANG.partition("==")[2], " ".join(flags[:-1]), command)


def litellm() -> Peer:
    """LiteLLM's proxy with one worker, without a database, as its page on production says."""
    program = _environment(LITELLM) / "bin" / "litellm"

    def command(folder: Path, port: int, engine: int) -> list[str]:
        to = {"model": "openai/m", "api_base": f"http://127.0.0.1:{engine}/v1", "api_key": "none"}
        settings = {"request_timeout": 600, "set_verbose": False, "json_logs": True, "drop_params": True}
        document = {"model_list": [{"model_name": "m", "litellm_params": to}], "litellm_settings": settings}
        config = folder / "litellm.yaml"
        config.write_text(yaml.safe_dump(document))
        taken = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        environment = ["LITELLM_MODE=PRODUCTION", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True"]
        return ["env", *environment, str(program), *taken]

    version = LITELLM.partition("==")[2]
    return Peer(
        "litellm", version, "--num_workers 1, LITELLM_MODE=PRODUCTION, no database", command, "/health/liveliness"
    )


def _nginx() -> Path:
    """Debian's nginx: the installed one, else its package unpacked into the cache folder."""
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if installed:
        return Path(installed)
    folder = cache_folder() / "debian" / "nginx"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            fresh = Path(name)
            done = subprocess.run(
                ["apt-get", "--quiet", "download", "nginx"], cwd=fresh, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"nginx cannot be had: {done.stderr[-500:]}; install nginx, or run `apt-get update`")
            subprocess.run(["dpkg-deb", "--extract", *fresh.glob("*.deb"), fresh / "files"], check=True)
            (fresh / "files").rename(folder)
    return folder / "usr/sbin/nginx"


def _environment(requirement: str) -> Path:
    """An environment with one peer in it, made once and kept in the cache folder."""
    name = f"{requirement.replace('[proxy]', '').replace('==', '-')}-{interpreter.version().split()[0]}"
    folder = cache_folder() / "peers" / name
    done = folder / ".whole"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        print(f"installing {requirement}", file=sys.stderr, flush=True)
        uv = shutil.which("uv") or ROOT / ".uv/bin/uv"
        subprocess.run([uv, "venv", "--quiet", "--python", interpreter.measured(), folder], check=True)
        python = folder / "bin" / "python"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, requirement], check=True)
        done.touch()
    return folder
