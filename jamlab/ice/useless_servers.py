"""Detection of STUN and TURN servers that do not work, from the candidates of local descriptions.

aioice waits five seconds for a server that does not answer, in every connection, and then goes on
without it and without an error; so it does with a server that refuses the request. In both cases a
candidate is missing: a server-reflexive one (STUN) or a relayed one (TURN).
"""

import re
from collections.abc import Callable

from jamlab.ice.configuration import IceConfiguration, IceServer

_IPV4_HOST = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ [\d.]+ \d+ typ host", re.MULTILINE)


class ServerWatch:
    """Reads each local description and reports changes in which servers do not work.

    When one server answers again the network has returned, so earlier failures of the others no
    longer count: a server's state is that of the latest description made since.

    `tell` is called with a sentence on the servers that do not work, when these change; `over` when
    a server answers again, and no other is known to fail; `unknown` when earlier failures no longer
    count, and no server has answered.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        over: Callable[[], None],
        unknown: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._over = over
        self._unknown = unknown
        self._useless: frozenset[IceServer] = frozenset()

    def note(self, ice: IceConfiguration, sdp: str) -> None:
        """Read a description, with the configuration its candidates were gathered with."""
        asked = asked_servers(ice, sdp)
        useless = frozenset(server for server in asked if not _gave(server, sdp))
        before = self._useless
        back = before & (asked - useless)
        self._useless = useless if back else before | useless
        if self._useless == before:
            return
        if self._useless:
            self._tell(_sentence(self._useless))
        else:
            self._over()

    def forget(self) -> None:
        """Drop earlier failures, because a connection is heard again: the network was at fault."""
        if self._useless:
            self._useless = frozenset()
            self._unknown()


def asked_servers(ice: IceConfiguration, sdp: str) -> frozenset[IceServer]:
    """Return the servers that should have given a candidate to a description.

    aioice queries STUN servers over IPv4 only, and with the policy "relay" it keeps relayed
    candidates only.
    """
    reflexive = ice.policy == "all" and _IPV4_HOST.search(sdp) is not None
    servers = zip(ice.servers, ice.reasons_ignored, strict=True)
    return frozenset(
        server for server, ignored in servers if ignored is None and (server.is_turn or reflexive)
    )


def _gave(server: IceServer, sdp: str) -> bool:
    return ("typ relay" if server.is_turn else "typ srflx") in sdp


def _sentence(servers: frozenset[IceServer]) -> str:
    given = {False: "no address", True: "no relay"}
    each = sorted(f"{server.urls} gives {given[server.is_turn]}" for server in servers)
    why = "`jamlab connectivity --network this-machine --ice FILE` says why"
    return f"{', '.join(each)}; {why}"
