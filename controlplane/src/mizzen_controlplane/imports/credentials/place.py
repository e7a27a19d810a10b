"""Which host is it? One text for each, read by the parser that sends requests, so that both mean the same host."""

from yarl import URL


def place_of(url: str) -> str:
    """`host`, `host:port` where the port is not 443, `http://host[:port]` without TLS; empty for what has no host."""
    try:
        read = URL(url)
        host, port = (read.raw_host or "").lower(), read.port
    except (ValueError, IndexError):  # the parser means the first, and for some brackets raises the second
        return ""
    if read.scheme not in ("http", "https") or not host or port is None:
        return ""
    written = f"[{host}]" if ":" in host else host
    if read.scheme == "https":
        return written if port == 443 else f"{written}:{port}"
    return f"http://{written}" if port == 80 else f"http://{written}:{port}"
