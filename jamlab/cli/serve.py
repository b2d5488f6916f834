"""``jamlab serve``: a hub, the signalling server, in a process of its own."""

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
        "--key", help=f"key that clients need (default: ${KEY_VARIABLE}, else a random one)"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="origin of web pages that may join, e.g. https://example.org; repeatable "
        "(default: the hub's own host)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name by which clients may reach the hub, e.g. a proxy's; repeatable "
        "(default: the addresses it listens at, and this machine's name)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab serve`` until it is stopped, and return its exit status.

    Raises `HubError` when it cannot listen at the address, or an option does not fit.
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
    """Return the lines for the user about an open hub: its URL, and how to join.

    The key is shown when it is random, so that the user does not know it.
    """
    key = hub.key if shows_key else "…"
    command = shlex.join(["jamlab", "join", "ROOM", "--hub", hub.url])
    notes = [] if shows_key else ["put your key in place of the dots"]
    if is_loopback(hub.host):
        notes.append("from this machine only; --host admits others")
    elif urlsplit(hub.url).hostname != hub.host:
        notes.append("from another machine, put this machine's address into the URL")
    words = f" ({'; '.join(notes)})" if notes else ""
    return (
        f"Listening at {hub.url}",
        f"To join{words}: {endpoint.KEY_VARIABLE}={key} {command}",
        "Ctrl-C ends it.",
    )
