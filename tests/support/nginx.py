"""A real nginx as a plain proxy, from Debian's package, with the gateway's bounds."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.debian_programs import unpacked
from support.free_ports import free_port
from support.gateway import wait_for_http

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_buffer_size 32k;
    large_client_header_buffers 4 32k;
    client_max_body_size 64m;
    client_header_timeout {seconds}s;
    client_body_timeout {seconds}s;
    keepalive_timeout {seconds}s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /v2/health/ {{ return 200 "{{}}"; }}
        location / {{
            proxy_pass http://127.0.0.1:{engine};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


@contextmanager
def nginx_before(engine: int, folder: Path, seconds: int = 2) -> Iterator[int]:
    """nginx in front of an engine's port, with `seconds` for headers, bodies and between requests; yields its port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, engine=engine, seconds=seconds))
    program = unpacked("nginx") / "usr" / "sbin" / "nginx"
    libraries = unpacked("libpcre2-8-0") / "usr" / "lib" / "x86_64-linux-gnu"
    process = subprocess.Popen(
        [program, "-p", folder, "-e", folder / "error.log", "-c", configuration],
        env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
    )
    try:
        wait_for_http(f"http://127.0.0.1:{port}/v2/health/ready", process)
        yield port
    finally:
        process.kill()
        process.wait()
