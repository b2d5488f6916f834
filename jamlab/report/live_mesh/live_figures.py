"""Tables of a session's live figures: of those collected, and one that updates itself."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
from IPython.display import display

from jamlab.mesh.figures import STAGES, PeerFigures
from jamlab.mesh.session import JamSession
from jamlab.report.page.tables import LiteralFrame


def figures_table(figures: Iterable[PeerFigures]) -> pd.DataFrame:
    """Return a row per peer and interval of `JamSession.figures`; unknown values are missing.

    ``at_s`` (seconds since the first), ``peer``, ``one_way_ms`` (estimated), a column in
    milliseconds for each of its stages, ``loss_percent``, ``repaired_percent`` (packets that came
    only as redundant copies), ``concealed_percent``, ``sent_kbit_s``, ``received_kbit_s``,
    ``redundant`` (whether our packets to the peer carry copies), ``drift_ppm`` (of the peer's card
    against ours), ``route`` and its ends ``local`` and ``remote``, and ``unknown``: why no latency
    is known.
    """
    taken = [*figures]
    began_s = taken[0].at_s if taken else 0.0
    rows = [_row(entry, began_s) for entry in taken]
    texts = dict.fromkeys(("peer", "route", "local", "remote", "unknown"), "object")
    types = dict.fromkeys(_COLUMNS, "float64") | texts | {"redundant": "bool"}
    return LiteralFrame(pd.DataFrame(rows, columns=list(_COLUMNS)).astype(types))


def latest_table(session: JamSession) -> pd.DataFrame:
    """Return the latest figures of all connected peers, a row each, to a tenth."""
    there, latest = session.service.peers, {entry.peer_id: entry for entry in session.figures}
    table = figures_table(latest[name] for name in sorted(there & latest.keys()))
    return LiteralFrame(table.drop(columns="at_s").set_index("peer").round(1))


def watch(session: JamSession, every_s: float = 2.0) -> Callable[[], None]:
    """Show the latest figures below a notebook's cell and keep them up to date.

    Updates are at least `every_s` apart. The function that is returned stops them; the table stays.

    Making a table takes some five milliseconds, during which a session in the same kernel does not
    serve its card. So stop the updates when you no longer look at them, and before you measure.
    """
    shown: Any = display(latest_table(session), display_id=True)  # type: ignore[no-untyped-call]
    due_s = -math.inf

    def follow(entry: PeerFigures) -> None:
        nonlocal due_s
        if entry.at_s >= due_s:
            due_s = entry.at_s + every_s
            shown.update(latest_table(session))

    return session.on_figures(follow)


_COLUMNS = (
    "at_s",
    "peer",
    "one_way_ms",
    *(f"{stage}_ms" for stage in STAGES),
    "loss_percent",
    "repaired_percent",
    "concealed_percent",
    "sent_kbit_s",
    "received_kbit_s",
    "redundant",
    "drift_ppm",
    "route",
    "local",
    "remote",
    "unknown",
)


def _row(entry: PeerFigures, began_s: float) -> tuple[object, ...]:
    return (
        round(entry.at_s - began_s, 3),
        entry.peer_id,
        _times(entry.one_way_s, 1e3),
        *(_times(getattr(entry, f"{stage}_s"), 1e3) for stage in STAGES),
        _times(entry.loss_share, 1e2),
        _times(entry.repaired_share, 1e2),
        _times(entry.concealed_share, 1e2),
        _times(entry.sent_bit_s, 1e-3),
        _times(entry.received_bit_s, 1e-3),
        entry.is_redundant,
        entry.drift_ppm,
        entry.route,
        entry.local_candidate,
        entry.remote_candidate,
        entry.unknown or None,
    )


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
