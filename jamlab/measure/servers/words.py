"""Sentences for the result of a probe: why a server does not work, and what to do about it."""

from jamlab.measure.servers.probe import REACHABLE, RELAY, RELAYS, ServerProbe
from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.turn.fault import CONNECTED, Fault
from jamlab.networks.turn.wire import TLS

_PORTS = {UDP: "UDP", TCP: "TCP", TLS: "TCP"}
_SENTENCES = {
    Fault.UNSUPPORTED: (
        "It was not probed: neither jamlab nor aiortc supports {kind} over {transport}; use UDP, "
        "TCP or TLS."
    ),
    Fault.NO_NAME: (
        "Its name has no IPv4 address{detail}: check the spelling, or give the name an A record."
    ),
    Fault.NO_RESOLVER: (
        "No DNS server answered for its name{detail}: check this machine's network and its "
        "resolver."
    ),
    Fault.UNREACHABLE: "There is no route to it from here{detail}: check network, routes and VPN.",
    Fault.REFUSED: (
        "Its machine refuses the connection: nothing listens at this {port} port; start the "
        "server, or correct the port."
    ),
    Fault.SILENT: (
        "It is unreachable: nothing came back over {port}. A firewall drops the packets, the port "
        "is wrong, or the machine is down; the credentials were not tried."
    ),
    Fault.NO_TLS: (
        "It does not speak TLS at this port{detail}: give the port of its TLS listener, or write "
        "turn: instead of turns:."
    ),
    Fault.UNTRUSTED: (
        "Its TLS certificate is not trusted{detail}: get one from a public authority for this "
        "name, or put your own authority's file in SSL_CERT_FILE; browsers do not trust it either."
    ),
    Fault.CLOSED: (
        "It accepted the connection and closed it without an answer{detail}: it is not a STUN or "
        "TURN server, or it does not admit this machine's address."
    ),
    Fault.NOT_STUN: (
        "It does not answer as a {kind} server{detail}: another program listens at this port."
    ),
    Fault.UNUSABLE: (
        "It answers, but its answer cannot be used{detail}: it breaks RFC 8489, or a device on the "
        "path changes its packets; update the server, or use another."
    ),
    Fault.ELSEWHERE: (
        "It sends its clients to another server{detail}: aiortc does not go there; write that "
        "server's address in the URL."
    ),
    Fault.NO_TURN: (
        "It is a STUN server and does not relay: it answers Binding but not Allocate; write stun: "
        "instead of turn:, or switch TURN on at the server."
    ),
    Fault.WRONG_CREDENTIALS: (
        "It is reachable, but refuses user name and password{detail}: correct username, credential "
        "or secret; aiortc would continue without it and report nothing."
    ),
    Fault.EXPIRED_CREDENTIALS: (
        "It refuses the credentials{detail}, because the time in the user name has passed: make "
        "new ones, or let jamlab make them with secret_env."
    ),
    Fault.QUOTA: (
        "It accepts the user, who has as many allocations as the quota allows{detail}: raise "
        "user-quota, or wait until others end; a call takes an allocation for each end."
    ),
    Fault.CAPACITY: (
        "It accepts the user, but has no allocation left{detail}: widen its range of relay ports, "
        "or its total quota."
    ),
    Fault.FORBIDDEN: "It accepts the user, but grants no allocation{detail}.",
    Fault.OTHER_ERROR: "It refuses the request{detail}.",
    Fault.NOT_RELAYED: (
        "It granted an allocation{detail}, but nothing comes through: open its relay ports to the "
        "world (UDP 49152 to 65535, unless it is configured otherwise), and make sure that others "
        "can reach the relayed address (external-ip)."
    ),
}
_RELAY_FORBIDDEN = (
    "It granted an allocation, but does not relay to this machine's address{detail}: it denies "
    "peers of that range; coturn on this same machine needs allow-loopback-peers."
)
_STOPPED_EARLY = (
    "It answered, and then stopped before it granted an allocation{detail}: see its log."
)
_ACCEPTED = (
    "It accepted the connection over {port} and said nothing: another program listens at this "
    "port, the port wants TLS, or the server hangs; the credentials were not tried."
)
_STOPPED = "It granted an allocation and then stopped answering{detail}: see its log."


def sentence(found: ServerProbe) -> str:
    """Return the result of a probe in a sentence or two."""
    if found.works:
        return _success(found)
    template = _SENTENCES[Fault(found.outcome)]
    if found.detail == CONNECTED:
        template = _ACCEPTED
    if found.step == RELAYS and found.outcome == Fault.FORBIDDEN:
        template = _RELAY_FORBIDDEN
    elif found.step == RELAYS and found.outcome != Fault.NOT_RELAYED:
        template = _STOPPED
    elif found.step != REACHABLE and found.outcome in (Fault.SILENT, Fault.CLOSED):
        template = _STOPPED_EARLY
    return template.format(
        kind=found.kind.upper(),
        transport=found.transport.upper(),
        port=_PORTS.get(found.transport, found.transport.upper()),
        detail=f" ({found.detail})" if found.detail not in ("", CONNECTED) else "",
    )


def _success(found: ServerProbe) -> str:
    if found.kind == "stun":
        return "It answers."
    if found.peer == RELAY:
        return (
            "It relays between two allocations of its own; a UDP socket of this machine did not "
            "reach the relay: either UDP is blocked here, or its relay ports are closed."
        )
    return "It relays."
