"""Certificates as a kubelet puts them into a pod, and what a port shows of them."""

import ssl
from pathlib import Path

import trustme
from cryptography.x509 import load_pem_x509_certificate


def write_pair(authority: trustme.CA, folder: Path, *names: str) -> None:
    """A fresh certificate of 127.0.0.1, each file put in its place at once, as a kubelet does; all, or those named."""
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert("127.0.0.1")
    pair = {"tls.key": issued.private_key_pem.bytes(), "tls.crt": issued.cert_chain_pems[0].bytes()}
    for file in names or pair:
        fresh = folder / f"{file}.new"
        fresh.write_bytes(pair[file])
        fresh.rename(folder / file)


def serial_shown(port: int) -> int:
    """Serial number of the certificate that a port of this machine shows."""
    text = ssl.get_server_certificate(("127.0.0.1", port))
    return load_pem_x509_certificate(text.encode()).serial_number
