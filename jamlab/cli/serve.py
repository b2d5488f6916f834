"""``jamlab serve``: a signalling hub in a process of its own."""

import argparse
import asyncio
import os
import shlex
from urllib.parse import urlsplit

from jamlab.signaling import endpoint
from jamlab.signaling.hub.handshake import is_loopback
from jamlab.signaling.hub.server import KEY_VARIABLE, Hub, run_hub


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``jamlab serve``."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=4000, help="port, 0 for any (default: %(default)s)"
    )
    parser.add_argument(
        "--key", help=f"what clients have to show (default: ${KEY_VARIABLE}, else a random one)"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="whose web pages may join, e.g. https://example.org; may be repeated "
        "(default: those of the hub's own host)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name clients may reach the hub by, e.g. a proxy's; may be repeated "
        "(default: the addresses it listens at, and this machine's name)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab serve`` until it is told to stop; returns its exit status.

    Raises
    ------
    jamlab.signaling.hub.handshake.HubError
        The hub cannot be there, or be so.
    """
    key = options.key or os.environ.get(KEY_VARIABLE)
    hub = Hub(
        options.host,
        options.port,
        key or None,
        allow_hosts=options.allow_host,
        allow_origins=options.allow_origin,
    )

    def invite(hub: Hub) -> None:
        print(*invitation(hub, shows_key=not key), sep="\n", flush=True)

    asyncio.run(run_hub(hub, invite))
    return 0


def invitation(hub: Hub, *, shows_key: bool) -> tuple[str, ...]:
    """Return what a user is told of an open hub: where it is, and how to join.

    Parameters
    ----------
    hub : Hub
        The hub.
    shows_key : bool
        Whether its key was made at random, and nobody knows it yet.
    """
    key = hub.key if shows_key else "…"
    command = shlex.join(["jamlab", "join", "ROOM", "--hub", hub.url])
    notes = [] if shows_key else ["put your key in place of the dots"]
    if is_loopback(hub.host):
        notes.append("this machine only; --host lets others in")
    elif urlsplit(hub.url).hostname != hub.host:
        notes.append("from another machine, put this one's address into the URL")
    words = f" ({'; '.join(notes)})" if notes else ""
    return (
        f"Listening at {hub.url}",
        f"To join{words}: {endpoint.KEY_VARIABLE}={key} {command}",
        "Ctrl-C ends it.",
    )
