"""The parent of this process, which exchanges lines of JSON with it: the child's side.

`jamlab.process.child` is the parent's, and says what the lines mean. A child ends when its standard
input does: its parent is gone.
"""

import json
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def ending_with_parent() -> Iterator[None]:
    """Do what the parent wants within; at the end it is told that all is done.

    When the parent is gone this process ends at once, whatever it does.
    """
    stop, stopping = os.pipe()
    watch = threading.Thread(target=_end_with, args=(sys.stdin.fileno(), stop), daemon=True)
    watch.start()
    try:
        yield
        send(None)
    finally:
        os.close(stopping)
        watch.join()
        os.close(stop)


def _end_with(parent: int, stop: int) -> None:
    """End this process when a pipe's other end is closed, unless another one's is first."""
    closed = select.poll()
    for pipe in (parent, stop):
        closed.register(pipe, 0)  # neither reads: to be closed is always told
    if stop not in dict(closed.poll()):
        os._exit(1)


def receive() -> Any:
    """Wait for the next message of the parent; None when it wants this process to finish."""
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def send(message: object) -> None:
    """Send the parent a message; one that is gone does not miss it."""
    with suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)
