"""ICE configurations: STUN and TURN servers and a transport policy (W3C ``RTCConfiguration``)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

from aioice import TransportPolicy
from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtcicetransport import connection_kwargs, parse_stun_turn_uri

Policy: TypeAlias = Literal["all", "relay"]


class IceConfigurationError(ValueError):
    """A configuration is unusable; the message has the place in the file and the remedy."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (W3C ``RTCIceServer``).

    Raises `IceConfigurationError` if its URL is invalid, or a TURN server lacks its username or
    credential.
    """

    urls: str
    """One URL (RFC 7064, RFC 7065), kept with scheme and transport in lower case."""
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", folded(self.urls))
        _check_url(self.urls)
        if self.is_turn and not (self.username and self.credential):
            raise IceConfigurationError(f"{self.urls} lacks its username or credential: give both")

    @property
    def parsed(self) -> dict[str, Any]:
        """The URL's ``scheme``, ``host``, ``port`` and, for TURN, ``transport``."""
        return parse_stun_turn_uri(self.urls)

    @property
    def is_turn(self) -> bool:
        """Whether it is a TURN server."""
        return self.urls.startswith("turn")


_IPV6 = re.compile(r"(?:stun|turn)s?:(?://)?(?:\[[\da-fA-F:]|[\da-fA-F]*:[\da-fA-F]*:)")
_CASE_MATTERS_NOT = re.compile(r"(?ia)\A(?:stun|turn)s?:|\?transport=\w*\Z")


def folded(url: str) -> str:
    """Return a STUN or TURN URL with scheme and transport in lower case.

    Neither depends on case (RFC 3986, section 3.1; RFC 7065, section 3.1), but aiortc knows
    lower case only.
    """
    return _CASE_MATTERS_NOT.sub(lambda found: found[0].lower(), url)


def _check_url(url: str) -> None:
    if "@" in url:  # the message does not show the URL, which may contain a credential
        raise IceConfigurationError(
            "the URL has an @: write username and credential in fields of their own"
        )
    if _IPV6.match(url):
        raise IceConfigurationError(
            f"{url!r} has an IPv6 address: jamlab and aiortc reach STUN and TURN servers over IPv4 "
            "only; write a name or an IPv4 address"
        )
    try:
        parsed = parse_stun_turn_uri(url)
    except ValueError as error:
        raise IceConfigurationError(
            f"{url!r} is not a STUN or TURN URL ({error}): write e.g. "
            "stun:stun.example.org:3478 or turn:turn.example.org?transport=udp"
        ) from None
    if not re.fullmatch(r"[\w.-]+", parsed["host"]):
        raise IceConfigurationError(f"{url!r} has no valid host: write a name or an IPv4 address")
    if not 0 < parsed["port"] < 65536:
        raise IceConfigurationError(f"{url!r} has a port out of range: give 1 to 65535")


@dataclass(frozen=True, slots=True)
class IceConfiguration:
    """Servers and transport policy of a participant (W3C ``RTCConfiguration``).

    Raises `IceConfigurationError` if the policy is unknown.
    """

    name: str
    servers: tuple[IceServer, ...] = ()
    policy: Policy = "all"
    """``"all"``, or ``"relay"`` for relayed candidates only."""

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise IceConfigurationError(f"policy is {self.policy!r}: choose all or relay")

    @property
    def ice_servers(self) -> list[RTCIceServer]:
        """The servers in aiortc's type."""
        return [RTCIceServer(s.urls, s.username, s.credential) for s in self.servers]

    @property
    def rtc_configuration(self) -> RTCConfiguration:
        """Servers and policy in aiortc's type."""
        policy = RTCIceTransportPolicy(self.policy)
        return RTCConfiguration(iceServers=self.ice_servers, iceTransportPolicy=policy)

    @property
    def page_configuration(self) -> dict[str, Any]:
        """Servers and policy for a browser's page, a W3C ``RTCConfiguration`` in JSON's types."""
        fields = ("urls", "username", "credential")
        servers = [
            {name: getattr(server, name) for name in fields if getattr(server, name) is not None}
            for server in self.servers
        ]
        return {"iceServers": servers, "iceTransportPolicy": self.policy}

    @property
    def has_turn(self) -> bool:
        """Whether the servers that aiortc uses include a TURN server."""
        return "turn_server" in self.connection_arguments()

    def connection_arguments(self) -> dict[str, Any]:
        """Return the arguments with which aiortc would make an `aioice.Connection`."""
        return dict(_connection_arguments(self))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The parts of the configuration that aiortc ignores, a sentence each."""
        return tuple(self._warnings())

    @property
    def reasons_ignored(self) -> tuple[str | None, ...]:
        """The reason why aiortc ignores a server, for each server; None for a used one."""
        reasons: list[str | None] = []
        used: set[bool] = set()
        for server in self.servers:
            reason = _unusable(server)
            if reason is None and server.is_turn in used:
                kind = "TURN" if server.is_turn else "STUN"
                reason = f"aiortc uses the first {kind} server only"
            if reason is None:
                used.add(server.is_turn)
            reasons.append(reason)
        return tuple(reasons)

    def _warnings(self) -> Iterator[str]:
        for server, reason in zip(self.servers, self.reasons_ignored, strict=True):
            if reason is not None:
                yield f"{server.urls} is ignored: {reason}."
        if self.policy == "relay" and not self.has_turn:
            yield (f"{self.name} can never connect: its policy is relay and it has no TURN server.")

    def relayed(self) -> "IceConfiguration":
        """Return the configuration with the policy relay, for relayed paths only."""
        return replace(self, policy="relay")


HOST_ONLY = IceConfiguration("host only")
"""A configuration without servers, for participants in one network."""


def _unusable(server: IceServer) -> str | None:
    """Return the reason why aiortc never uses a server, or None."""
    parsed = server.parsed
    transport = parsed.get("transport", "udp")
    if parsed["scheme"] == "stuns":
        return "aiortc does not support STUN over TLS"
    if transport not in ("udp", "tcp"):
        return "aiortc supports the transports udp and tcp only"
    if (parsed["scheme"], transport) == ("turns", "udp"):
        return "aiortc supports TURN over TLS, not over DTLS"
    return None


@cache
def _connection_arguments(configuration: IceConfiguration) -> dict[str, Any]:
    policy = TransportPolicy.RELAY if configuration.policy == "relay" else TransportPolicy.ALL
    return {**connection_kwargs(configuration.ice_servers), "transport_policy": policy}
