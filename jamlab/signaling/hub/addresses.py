"""Names and addresses by which clients reach a hub."""

import socket
from collections.abc import Iterator

from jamlab.signaling.hub.handshake import is_loopback

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_PROBES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_DISCARD_PORT = 9


def local_host(host: str) -> str:
    """Return the host for clients on this machine, of a hub that listens at an address."""
    return _ANY.get(host, host)


def distant_host(host: str) -> str:
    """Return the host for clients on other machines, as far as it is known."""
    if host not in _ANY:
        return host
    return next(own_addresses(), socket.gethostname())


def host_names(host: str) -> list[str]:
    """Return the host names of a hub that listens at an address: that address and the machine's."""
    if is_loopback(host):
        return [host]
    own = socket.gethostname()
    return [name for name in (host, own, f"{own}.local") if name]


def certified_names(host: str) -> list[str]:
    """Return the names for the certificate of a hub that listens at an address."""
    names = ["127.0.0.1", "::1", "localhost", *host_names(host)]
    names += own_addresses() if host in _ANY else ()
    return [*dict.fromkeys(name for name in names if name and name not in _ANY)]


def own_addresses() -> Iterator[str]:
    """Yield the addresses by which this machine reaches others: one of IPv4, one of IPv6.

    The kernel is asked for its route to an address for documentation (RFC 5737, RFC 3849); nothing
    is sent.
    """
    for family, address in _PROBES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, _DISCARD_PORT))
                yield probe.getsockname()[0]
        except OSError:
            continue


def in_url(host: str) -> str:
    """Return a host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host
