"""Which authorities does a client of one server trust? The system's, those of a file, or none over plain HTTP."""

import ssl


def trusted(url: str, ca: str = "") -> ssl.SSLContext | bool:
    """For `verify=` of httpx; `ca` is a PEM file. Raises OSError or ssl.SSLError where that holds no certificate."""
    if ca:
        return ssl.create_default_context(cafile=ca)
    if url.startswith("http://"):
        # No authority passes here, and none is read: 30 ms of each command.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True
