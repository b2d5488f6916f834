"""JSON lines between this child process and its parent: the child's side.

`jamlab.process.child` is the parent's side, and defines the messages. A child ends when its
standard input is closed, because its parent has then ended.
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
    """End this process at once when the parent ends; tell it *all is done* after the context.

    Where there is no poll (Windows), a process whose parent was killed works on to its end.
    """
    if not hasattr(select, "poll"):
        yield
        send(None)
        return
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
    """End this process when the other end of `parent` is closed, unless that of `stop` is first."""
    closed = select.poll()
    for pipe in (parent, stop):
        closed.register(pipe, 0)  # no data events: a closed end is always reported
    if stop not in dict(closed.poll()):
        os._exit(1)


def receive() -> Any:
    """Wait for the next message of the parent; None means *finish*."""
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def send(message: object) -> None:
    """Send the parent a message; after the parent's end it is dropped."""
    with suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)
