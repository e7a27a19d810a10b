"""With which certificate does a port answer? The pair of a mounted TLS Secret, taken up anew when its files change."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

import structlog

PAIR: Final = ("tls.crt", "tls.key")
"""As in a Secret of type kubernetes.io/tls."""
LOOK_SECONDS: Final = 1.0
"""Between two looks whether the files have changed."""
log = structlog.get_logger(__name__)


class Certificate:
    """A certificate with its key, in a context that one listener uses."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError or ssl.SSLError where there is no usable pair."""
        self._files = (folder / PAIR[0], folder / PAIR[1])
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.pair = (b"", b"")
        """Certificate and key in use, as PEM: for a listener that brings a TLS of its own."""
        self._seen = self._take_up()
        self._refused = ""
        """Why the files of now are not used, as it was told."""

    def renew(self) -> bool:
        """Use changed files for connections that begin from now on; whether there were any.

        A kubelet may replace files one by one: a pair that does not fit is told, and the one of before goes on.
        """
        try:
            if self._now() == self._seen:
                return False
            self._seen = self._take_up()
        except (OSError, ssl.SSLError) as error:
            if str(error) != self._refused:
                log.warning("renewed certificate is not usable, the one of before goes on", error=str(error))
            self._refused = str(error)
            return False
        self._refused = ""
        log.info("renewed certificate taken up")
        return True

    async def keep_renewed(self) -> None:
        """Look for changed files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.renew()

    def _take_up(self) -> tuple[int, ...]:
        seen = self._now()
        # The context in use would have the new certificate before it found that the key does not fit.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
        self.context.load_cert_chain(*self._files)
        self.pair = (self._files[0].read_bytes(), self._files[1].read_bytes())
        return seen

    def _now(self) -> tuple[int, ...]:
        facts = [file.stat() for file in self._files]
        return tuple(number for fact in facts for number in (fact.st_mtime_ns, fact.st_ino))


def unusable(folder: Path, error: Exception) -> str:
    """What a program says that cannot start for want of a pair in the folder of MIZZEN_TLS_DIR."""
    return (
        f"MIZZEN_TLS_DIR: {folder} has no usable pair of tls.crt and tls.key ({error}); put both there as PEM, "
        "or unset it to speak plain HTTP."
    )
