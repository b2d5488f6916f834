"""Which STUN and TURN servers are of use, as our own descriptions tell.

aioice waits five seconds for a server that does not answer, with every connection anew, and goes on
without it and without a word, as it does without one that refuses us. What either fails to give is
a candidate: a server-reflexive one (STUN) or a relayed one (TURN).
"""

import re
from collections.abc import Callable

from jamlab.ice.configuration import IceConfiguration, IceServer

_IPV4_HOST = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ [\d.]+ \d+ typ host", re.MULTILINE)


class ServerWatch:
    """Takes our descriptions as they are made, and tells what changes.

    A network that comes back makes all doubtful that was found before: what is known of a server is
    what its latest answer tells, or that it had none since.

    Parameters
    ----------
    tell : callable
        Takes a sentence on the servers that are known to be of no use, when that changes.
    over : callable
        Called when one of them answers, and of the others nothing is known.
    unknown : callable
        Called when nothing is known of any of them any more.
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
        """Take a description, with the configuration its candidates were gathered by."""
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
        """Take note that a connection is heard again: what failed meanwhile may be well."""
        if self._useless:
            self._useless = frozenset()
            self._unknown()


def asked_servers(ice: IceConfiguration, sdp: str) -> frozenset[IceServer]:
    """Return the servers that should have given a candidate to a description.

    aioice asks STUN servers over IPv4 only; and one that wants relayed paths keeps no other
    candidates.
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
