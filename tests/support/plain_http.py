"""What does a client trust that speaks plain HTTP? Nobody: a context with all authorities costs 30 ms of CPU."""

import ssl
from typing import Final

NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For `verify=` of httpx: it knows no authority, so that no certificate would pass."""
