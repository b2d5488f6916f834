"""What the users of a campaign's sessions were told: notices, and when they came."""

import json
from collections.abc import Iterator

import pandas as pd

from jamlab.measure.connectivity.attempt import FAILED
from jamlab.mesh.notices import NoticeKind

EARLY_S = 5.0
"""A warning before this time is early: the call may still come about without any."""

_COLUMNS = ["configuration", "kind", "calls", "share", "first_s", "early"]
_NOTICES = ["configuration", "call", "kind", "at_s", "connects"]


def told_table(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per configuration and kind of notice that came, but for "joined".

    Columns: ``configuration``, ``kind``, ``calls``: in which either user was told so, ``share`` of
    all calls, ``first_s``: median of the first time in a call, and ``early``: calls in which it
    came within `EARLY_S` although they connect.
    """
    notices = pd.DataFrame(_notices(sessions), columns=_NOTICES)
    notices = notices[notices["kind"] != NoticeKind.JOINED]
    order = {kind.value: number for number, kind in enumerate(NoticeKind)}
    rows = []
    for configuration, of_one in sessions.groupby("configuration", sort=False):
        told = notices[notices["configuration"] == configuration]
        for kind in sorted(told["kind"].unique(), key=order.__getitem__):
            first = told[told["kind"] == kind].groupby("call")[["at_s", "connects"]].min()
            share, median_s = len(first) / len(of_one), float(first["at_s"].median())
            early = int(((first["at_s"] < EARLY_S) & first["connects"]).sum())
            rows.append((configuration, kind, len(first), share, median_s, early))
    return pd.DataFrame(
        rows, columns=["configuration", "kind", "calls", "share", "first_s", "early"]
    )


def _notices(sessions: pd.DataFrame) -> Iterator[tuple[str, int, str, float, bool]]:
    columns = sessions[["configuration", "call", "result", "notices"]]
    for configuration, call, result, notices in columns.itertuples(index=False):
        for at_s, _, kind in json.loads(notices):
            yield configuration, call, kind, float(at_s), result != FAILED
