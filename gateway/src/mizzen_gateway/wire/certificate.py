"""With which certificate does the gateway's port answer? The one in a folder, taken up anew when its files change."""

import ssl
from pathlib import Path

import structlog

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""As in a Secret of type kubernetes.io/tls."""
log = structlog.get_logger(__name__)


class Certificate:
    """A certificate and its key, for one listener."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError or ssl.SSLError where there is no usable pair."""
        self._folder = folder
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._load()

    def renew(self) -> bool:
        """Take up changed files, for connections that begin from now on; whether there were any.

        A pair that does not fit is told in the log, and the old one goes on: files may be replaced one by one.
        """
        try:
            if self._stamp_now() == self._stamp:
                return False
            self._stamp = self._load()
        except (OSError, ssl.SSLError) as error:
            log.warning(
                "certificate cannot be taken up, the old one goes on", folder=str(self._folder), error=str(error)
            )
            return False
        log.info("certificate taken up", folder=str(self._folder))
        return True

    def _load(self) -> tuple[int, ...]:
        stamp, pair = self._stamp_now(), (self._folder / CERTIFICATE, self._folder / KEY)
        # A context takes up the certificate before it finds that the key does not fit: try the pair on another one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
        self.context.load_cert_chain(*pair)
        return stamp

    def _stamp_now(self) -> tuple[int, ...]:
        facts = [(self._folder / name).stat() for name in (CERTIFICATE, KEY)]
        return tuple(number for fact in facts for number in (fact.st_mtime_ns, fact.st_ino))
