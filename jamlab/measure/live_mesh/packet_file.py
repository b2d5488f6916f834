"""File of a session's packets: who sent each, its numbers, and when it arrived."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jamlab.mesh.packet_log import PacketLog
from jamlab.mesh.session import JamSession
from jamlab.networks.traces.arrivals import write_arrivals


@contextmanager
def recorded(session: JamSession, path: Path | None, say: Callable[[str], None]) -> Iterator[None]:
    """Write the packets of streams that start from now on to a file, if any, after the context.

    It is written whole or not at all (`jamlab.networks.traces.arrivals`); `say` receives a line
    about it.
    """
    log = PacketLog()
    if path is None:
        yield
        return
    unfollow = session.service.on_remote_stream(log.follow)
    try:
        yield
    finally:
        unfollow()
        say(_written(log, path))


def _written(log: PacketLog, path: Path) -> str:
    try:
        write_arrivals(path, log.columns())
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    omitted = f", {log.omitted} later ones are not" if log.omitted else ""
    return f"{len(log)} packets are recorded in {path}{omitted}"
