"""``jamlab serve``: a signalling hub in a process of its own."""

import argparse
import asyncio
import os
from functools import partial

from jamlab.signaling.handshake import DEFAULT_KEY
from jamlab.signaling.hub import KEY_VARIABLE, run_hub


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``jamlab serve``."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=4000, help="port, 0 for any (default: %(default)s)"
    )
    parser.add_argument("--key", help=f"what clients have to show (default: ${KEY_VARIABLE})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab serve`` until it is told to stop; returns its exit status.

    Raises
    ------
    jamlab.signaling.handshake.HubError
        The hub cannot be there.
    """
    key = options.key or os.environ.get(KEY_VARIABLE) or DEFAULT_KEY
    asyncio.run(run_hub(options.host, options.port, key, partial(print, flush=True)))
    return 0
