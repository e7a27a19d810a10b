"""A certificate and its key, as a Secret of Kubernetes holds them."""

from pathlib import Path

import trustme


def write_pair(authority: trustme.CA, folder: Path, *names: str) -> None:
    """A fresh certificate for 127.0.0.1, each file put in its place at once, as a kubelet does; all, or those named."""
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert("127.0.0.1")
    pair = {"tls.key": issued.private_key_pem.bytes(), "tls.crt": issued.cert_chain_pems[0].bytes()}
    for file in names or pair:
        fresh = folder / f"{file}.new"
        fresh.write_bytes(pair[file])
        fresh.rename(folder / file)
