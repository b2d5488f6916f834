"""What a probe found, in words: why a server does not work, and what to do about it."""

from jamlab.measure.servers.probe import RELAY, RELAYS, ServerProbe
from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.turn.fault import Fault
from jamlab.networks.turn.wire import TLS

_PORTS = {UDP: "UDP", TCP: "TCP", TLS: "TCP"}
_SENTENCES = {
    Fault.UNSUPPORTED: (
        "It was not asked: {kind} over {transport} is spoken neither here nor by aiortc; take UDP, "
        "TCP or TLS."
    ),
    Fault.NO_NAME: (
        "Its name resolves to no IPv4 address{detail}: mind the spelling, or give it an A record."
    ),
    Fault.NO_RESOLVER: (
        "Nobody answers what its name resolves to{detail}: check this machine's network and its "
        "resolver."
    ),
    Fault.UNREACHABLE: "There is no way to it from here{detail}: check network, routes and VPN.",
    Fault.REFUSED: (
        "Its machine refuses the connection: nothing listens at this {port} port; start the "
        "server, or correct the port."
    ),
    Fault.SILENT: (
        "It is unreachable: nothing came back over {port}. A firewall drops it, the port is wrong, "
        "or the machine is down; the credentials were never asked for."
    ),
    Fault.NO_TLS: (
        "It speaks no TLS at this port{detail}: give the port of its TLS listener, or write turn: "
        "for turns:."
    ),
    Fault.UNTRUSTED: (
        "Its TLS certificate is not trusted{detail}: get one by a public authority for this name, "
        "or name your own authority's file in SSL_CERT_FILE; a browser will not trust it either."
    ),
    Fault.CLOSED: (
        "It took the connection and closed it without an answer{detail}: no STUN or TURN server, "
        "or one that lets this machine's address not in."
    ),
    Fault.NOT_STUN: (
        "What answers there is no {kind} server{detail}: something else listens at this port."
    ),
    Fault.NO_TURN: (
        "It is a STUN server and does not relay: Binding is answered, Allocate is not; use stun: "
        "for it, or switch TURN on."
    ),
    Fault.WRONG_CREDENTIALS: (
        "It is reachable, but refuses user name and password{detail}: correct username, credential "
        "or secret; aiortc would go on without it and say nothing."
    ),
    Fault.EXPIRED_CREDENTIALS: (
        "It refuses the credentials{detail}, as the time in the user name is over: make new ones, "
        "or let secret_env have them made."
    ),
    Fault.QUOTA: (
        "It knows the user, who has as many relays as its quota allows{detail}: raise user-quota, "
        "or wait until others are given up; a call takes a relay for each end."
    ),
    Fault.CAPACITY: (
        "It knows the user, but has no relay to give{detail}: widen its range of relay ports, or "
        "its total quota."
    ),
    Fault.FORBIDDEN: "It knows the user, but gives no relay{detail}.",
    Fault.OTHER_ERROR: "It refuses the request{detail}.",
    Fault.NOT_RELAYED: (
        "It gave a relay{detail}, but nothing comes through: open its relay ports to the world "
        "(UDP 49152 to 65535, unless it is told others), and see that the relay's address is one "
        "that others can reach (external-ip)."
    ),
}
_RELAY_FORBIDDEN = (
    "It gave a relay, but does not relay to this machine's address{detail}: it denies peers of its "
    "range; coturn on this very machine wants allow-loopback-peers."
)
_STOPPED = "It gave a relay and then fell silent{detail}: see its log."


def sentence(found: ServerProbe) -> str:
    """Say in a sentence or two what became of a probe."""
    if found.works:
        return _success(found)
    template = _SENTENCES[Fault(found.outcome)]
    if found.step == RELAYS and found.outcome == Fault.FORBIDDEN:
        template = _RELAY_FORBIDDEN
    elif found.step == RELAYS and found.outcome != Fault.NOT_RELAYED:
        template = _STOPPED
    return template.format(
        kind=found.kind.upper(),
        transport=found.transport.upper(),
        port=_PORTS.get(found.transport, found.transport.upper()),
        detail=f" ({found.detail})" if found.detail else "",
    )


def _success(found: ServerProbe) -> str:
    if found.kind == "stun":
        return "It answers."
    if found.peer == RELAY:
        return (
            "It relays from one of its relays to another; a UDP socket of this machine did not "
            "reach the relay: either UDP is blocked here, or its relay ports are closed."
        )
    return "It relays."
