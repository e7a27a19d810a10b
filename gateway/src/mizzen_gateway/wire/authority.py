"""Whom does the gateway take for the control plane, or the operator? Who shows a certificate of its authority."""

import ssl
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


class Authority:
    """Certificates of an authority, in a context for connections."""

    def __init__(self, file: Path) -> None:
        """Raises OSError or ssl.SSLError where the file holds no certificate."""
        self._file = file
        self._seen = self._now()
        self.context = ssl.create_default_context(cafile=str(file))

    def renew(self) -> bool:
        """Trust what a changed file holds, beside what it held; whether there was anything."""
        try:
            if self._now() == self._seen:
                return False
            self.context.load_verify_locations(cafile=str(self._file))
            self._seen = self._now()
        except (OSError, ssl.SSLError) as error:
            log.warning("authority cannot be taken up, the old one goes on", file=str(self._file), error=str(error))
            return False
        log.info("authority taken up", file=str(self._file))
        return True

    def _now(self) -> tuple[int, int]:
        fact = self._file.stat()
        return fact.st_mtime_ns, fact.st_ino
