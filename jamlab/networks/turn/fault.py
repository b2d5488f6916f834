"""Causes of failed requests to a STUN or TURN server.

Resolver, sockets, TLS and STUN report causes in different ways, by exception, number or text; this
module maps all of them to one enumeration.
"""

import errno
import socket
import ssl
from enum import StrEnum

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EACCES}
_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Fault(StrEnum):
    """The cause of a failure, in the order in which a client meets them."""

    UNSUPPORTED = "unsupported"
    """Python does not support the transport, e.g. DTLS."""
    NO_NAME = "unknown name"
    """The name does not resolve to an IPv4 address."""
    NO_RESOLVER = "no resolver"
    """The name resolution got no answer."""
    UNREACHABLE = "unreachable"
    """There is no route to the server."""
    REFUSED = "refused"
    """No program listens at the port (ICMP port unreachable, TCP RST)."""
    SILENT = "silent"
    """Nothing came back; with the detail `CONNECTED` after the server accepted the connection."""
    NO_TLS = "no TLS"
    """The server does not speak TLS at this port, or shares no version with the client."""
    UNTRUSTED = "untrusted"
    """The certificate is not trusted, has expired, or belongs to another name."""
    CLOSED = "closed"
    NOT_STUN = "not STUN"
    """Something answers that does not speak STUN."""
    UNUSABLE = "unusable"
    """A STUN message came that cannot be used as the response (RFC 8489, section 6.3)."""
    ELSEWHERE = "elsewhere"
    """The server sends its clients to another one (300, RFC 8489, section 10)."""
    NO_TURN = "no TURN"
    """The STUN server does not relay."""
    WRONG_CREDENTIALS = "wrong credentials"
    EXPIRED_CREDENTIALS = "expired credentials"
    """The time-limited credential has expired."""
    QUOTA = "quota"
    """The user's allocation quota is reached (486)."""
    CAPACITY = "capacity"
    """The server has no relayed address left (508)."""
    FORBIDDEN = "forbidden"
    """The server does not relay to this peer (403)."""
    OTHER_ERROR = "other error"
    """Any other error response."""
    NOT_RELAYED = "not relayed"
    """The allocation exists, but relays no data."""


CONNECTED = "connected"
"""The detail of a server that accepted the connection and then said nothing."""


class ServerFaultError(Exception):
    """A request to a server failed; `detail` is the failed layer's text, "" without details."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else str(fault))
        self.fault = fault
        self.detail = detail


def fault_of(error: OSError) -> ServerFaultError:
    """Return the cause of an error from name resolution, a connection or a socket."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerFaultError(Fault.UNTRUSTED, error.verify_message)
    if isinstance(error, ssl.SSLError):
        return ServerFaultError(Fault.NO_TLS, _reason(error))
    if isinstance(error, socket.gaierror):
        fault = Fault.NO_NAME if error.errno in _NO_NAME else Fault.NO_RESOLVER
        return ServerFaultError(fault, error.strerror or "")
    if isinstance(error, ConnectionRefusedError):
        return ServerFaultError(Fault.REFUSED)
    if isinstance(error, ConnectionError):
        return ServerFaultError(Fault.CLOSED)
    if isinstance(error, TimeoutError):
        return ServerFaultError(Fault.SILENT)
    fault = Fault.UNREACHABLE if error.errno in _NO_ROUTE else Fault.OTHER_ERROR
    return ServerFaultError(fault, error.strerror or "")


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words, e.g. "wrong version number"."""
    return str(getattr(error, "reason", None) or "").replace("_", " ").lower()
