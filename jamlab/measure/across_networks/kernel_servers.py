"""The servers of a lab: hub and reference client, STUN and TURN, on its public host."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelHost
from jamlab.process.child import child_process

HUB = "jamlab.measure.across_networks.kernel_hub"
"""Module of the hub's process."""
_USER = "jam"


@dataclass(frozen=True)
class Servers:
    """The servers while they run.

    Parameters
    ----------
    hub : str
        The hub's URL for Realtime clients.
    page : str
        The URL of its web page, the reference client.
    key : str
        The key that both need.
    ice : IceConfiguration
        STUN and TURN; the page gets it from the hub.
    """

    hub: str
    page: str
    key: str = field(repr=False)
    ice: IceConfiguration


@asynccontextmanager
async def serving(public: KernelHost) -> AsyncIterator[Servers]:
    """Run the servers on a host while the context lasts.

    Raises `CoturnError` and `ChildError` when one does not start.
    """
    password, key = secrets.token_hex(8), secrets.token_hex(16)
    with Coturn(public, users={_USER: password}) as turn:
        servers = (IceServer(turn.stun_url), IceServer(turn.turn_url(), _USER, password))
        ice = IceConfiguration("the lab's", servers)
        task = {"host": public.addresses[0], "key": key, "ice": ice.page_configuration}
        async with child_process("the hub", HUB, task, public.command) as child:
            urls = await child.receive()
            yield Servers(urls["hub"], urls["page"], key, ice)
