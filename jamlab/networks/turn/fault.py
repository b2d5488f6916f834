"""Why a STUN or TURN server does not do what was asked: one word for each cause.

The system tells causes apart by exception, number and text, and each layer (resolver, socket, TLS,
STUN) in its own way; here they become one.
"""

import errno
import socket
import ssl
from enum import StrEnum

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EACCES}
_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Fault(StrEnum):
    """What is wrong, in the order in which a client meets it."""

    UNSUPPORTED = "unsupported"
    """It is to be asked in a way that Python has not, e.g. over DTLS."""
    NO_NAME = "unknown name"
    """The name resolves to no IPv4 address."""
    NO_RESOLVER = "no resolver"
    """Nobody answers what the name resolves to."""
    UNREACHABLE = "unreachable"
    """The system knows no way there, or was told on the way that there is none."""
    REFUSED = "refused"
    """Its machine answers that nothing listens at this port (ICMP port unreachable, TCP RST)."""
    SILENT = "silent"
    """Nothing came back."""
    NO_TLS = "no TLS"
    """It does not speak TLS there, or not one that both sides know."""
    UNTRUSTED = "untrusted"
    """Its certificate is not trusted, has expired, or is another name's."""
    CLOSED = "closed"
    """It closed the connection."""
    NOT_STUN = "not STUN"
    """What came back is no answer of a STUN server."""
    NO_TURN = "no TURN"
    """It is a STUN server and does not relay."""
    WRONG_CREDENTIALS = "wrong credentials"
    """It does not know the user, or has another password for it."""
    EXPIRED_CREDENTIALS = "expired credentials"
    """The user name bears a time that is over."""
    QUOTA = "quota"
    """The user has as many allocations as it may have (486)."""
    CAPACITY = "capacity"
    """The server has no relay to give (508)."""
    FORBIDDEN = "forbidden"
    """It does not relay to where it was to relay (403)."""
    OTHER_ERROR = "other error"
    """Another error response."""
    NOT_RELAYED = "not relayed"
    """There is a relay, and nothing comes through it."""


class ServerFaultError(Exception):
    """A server did not do what was asked.

    Parameters
    ----------
    fault : Fault
        What is wrong.
    detail : str
        What was seen, in the words of who saw it; "" if there is nothing to add.
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else str(fault))
        self.fault = fault
        self.detail = detail


def fault_of(error: OSError) -> ServerFaultError:
    """Return what an error of the system says of a server.

    Parameters
    ----------
    error : OSError
        Of resolving a name, opening a connection, or using a socket.
    """
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
