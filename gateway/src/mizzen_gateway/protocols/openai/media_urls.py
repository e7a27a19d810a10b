"""Which URLs may a caller have an engine fetch? None but those of the hosts that the settings name, written plainly.

The gateway fetches nothing and follows nothing: it holds what it passes on to one way of writing a URL, so that no
reader of it, however lenient, finds another host in it. Where a name leads, and where an answer redirects to, only the
engine sees; so names of networks are no names that can be set, and engines are told to follow no redirect.
"""

from typing import Final

Hosts = frozenset[str]
"""Names in lower case."""
NO_HOSTS: Final[Hosts] = frozenset()
MOST_URL = 2048
"""Characters of a URL that is fetched."""
MOST_DATA_URL = 32 * 1024 * 1024
"""Characters of a data: URL; the body as a whole has a bound of its own."""
MOST_HOSTS = 1000
SCHEME: Final = "https://"
DATA: Final = "data:"
FETCHED: Final = ("http:", "https:", "ftp:", "ftps:", "file:", "s3:", "gs:", "az:", "hf:", "//")
"""How texts begin that are no content but a place of it."""
PASSED_OVER: Final = "".join(map(chr, range(33)))
"""What readers of URLs leave out before one."""
INSIDE: Final = frozenset(
    {"localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "svc", "arpa"}
)
"""Last parts of names that lead into a network, or back to the machine."""
LABEL: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def why_refused(url: object, hosts: Hosts) -> str | None:
    """What is wrong with the URL of a picture, a sound or a file; None where it may go to an engine."""
    if type(url) is not str:
        return "must be a text"
    if url.startswith(DATA):
        if len(url) <= MOST_DATA_URL:
            return None
        return f"has {len(url)} characters, but {MOST_DATA_URL} at most are taken; send a smaller one"
    if not hosts:
        return "only data: URLs are allowed; send the content itself"
    if len(url) > MOST_URL:
        return f"has {len(url)} characters, but {MOST_URL} at most are taken of a URL; send the content itself"
    if not url.startswith(SCHEME):
        return "must begin with https:// or data:, in lower case"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "must be printable ASCII, without blanks and backslashes; write others as %XX, and names as xn--..."
    rest = url[len(SCHEME) :]
    end = min((place for mark in "/?#" if (place := rest.find(mark)) >= 0), default=len(rest))
    # Exactly the name: no user, no port but TLS' own, no dot at its end, no address in any of its spellings.
    if rest[:end].lower().removesuffix(":443") not in hosts:
        return "its host is not among those that may be fetched from; send the content itself, or ask who runs this"
    return None


def names_a_place(held: object) -> bool:
    """Whether a text says where content is, in a field that should hold the content."""
    return type(held) is str and held.lstrip(PASSED_OVER)[:8].lower().startswith(FETCHED)


def why_no_host(name: str) -> str | None:
    """Why a host cannot be set; None where it can."""
    labels = name.split(".")
    if len(name) > 253 or not all(0 < len(one) <= 63 and LABEL.issuperset(one) for one in labels):
        return "must be a name in lower case such as images.example.com (others as xn--...), without port and last dot"
    if any(one.startswith("-") or one.endswith("-") for one in labels):
        return "no part of a name begins or ends with a hyphen"
    if labels[-1].isdigit() or (labels[-1].startswith("0x") and labels[-1][2:].isalnum()):
        return "is an address; only names may be fetched from"
    if len(labels) == 1 or labels[-1] in INSIDE or name.endswith(".cluster.local"):
        return "leads into a network; only public names, which have a dot in them, may be fetched from"
    return None


def hosts_of(names: list[str]) -> Hosts:
    """Names as they may be set. Raises ValueError, which names the first that may not."""
    if len(names) > MOST_HOSTS:
        raise ValueError(f"{len(names)} hosts, but {MOST_HOSTS} at most are taken")
    for name in names:
        why = why_no_host(name)
        if why is not None:
            raise ValueError(f"{name[:100]!r} {why}")
    return frozenset(names)
