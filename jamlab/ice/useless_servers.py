"""Reports on STUN and TURN servers that do not work.

A connection goes on without a server that is silent or refuses its request, and without an error;
but a candidate is missing: a server-reflexive one (STUN) or a relayed one (TURN).
"""

from collections.abc import Callable

from jamlab.ice.configuration import IceServer


class ServerWatch:
    """Watches which STUN and TURN servers answer the connections, and reports changes.

    When one server answers again the network has returned, so earlier failures of the others no
    longer count: a server's state is that of the latest connection made since.

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

    def note(self, asked: frozenset[IceServer], useless: frozenset[IceServer]) -> None:
        """Note the servers that a connection asked, and those of them that gave it nothing."""
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


def _sentence(servers: frozenset[IceServer]) -> str:
    given = {False: "no address", True: "no relay"}
    each = sorted(f"{server.urls} gives {given[server.is_turn]}" for server in servers)
    why = "`jamlab connectivity --network this-machine --ice FILE` says why"
    return f"{', '.join(each)}; {why}"
