"""A simulated internet with a place for each participant, and a STUN and a TURN server.

::

    backbone ─┬─ stun
              ├─ turn
              ├─ (boxes of player 1's place) ── player 1
              └─ (boxes of player 2's place) ── player 2   and so on
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.call import SERVERS, open_servers
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.model.topology import Topology, host_name
from jamlab.networks.simulated.firewall import Firewall
from jamlab.networks.simulated.host import Host
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.turn.server import TurnServer


@dataclass(frozen=True)
class World:
    """A simulated internet with the participants' places and its servers."""

    internet: Internet
    turn: TurnServer | None

    def where(self, player: str) -> AbstractContextManager[Host]:
        """Return the context to run a participant in."""
        return self.internet.host(host_name(player))

    def open_firewalls(self, player: str) -> None:
        """Replace the firewalls around a participant by firewalls that block nothing."""
        home = f"{host_name(player)}-network-"
        for boxes in (
            boxes for name, boxes in self.internet.boxes.items() if name.startswith(home)
        ):
            boxes[:] = [Firewall(FirewallType()) if isinstance(b, Firewall) else b for b in boxes]

    @property
    def relayed_media(self) -> int:
        """Number of RTP packets that the TURN server has delivered, each counted once."""
        return 0 if self.turn is None else self.turn.counters.relayed_media

    @property
    def direct_media(self) -> int:
        """Number of RTP packets to participants that did not come from the TURN server."""
        servers = {server.name for server in SERVERS}
        players = [host for host in self.internet.hosts if host.name not in servers]
        relay = self.internet.host("turn").addresses
        came = [(source, n) for host in players for source, n in host.media_from.items()]
        return sum(count for source, count in came if source not in relay)


@asynccontextmanager
async def at_home(
    homes: Mapping[str, Place], access: LinkConfig, ice: IceConfiguration
) -> AsyncIterator[World]:
    """Open a world on the running simulated loop; close its servers when the context ends.

    `access` is each participant's link to the backbone; the servers that `ice` uses are opened.
    Raises RuntimeError when the running loop is not simulated.
    """
    members = (place.member(host_name(name), access) for name, place in homes.items())
    internet = Internet(Topology((*SERVERS, *members)))
    async with AsyncExitStack() as stack:
        yield World(internet, await open_servers(internet, ice, stack))
