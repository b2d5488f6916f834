"""Paths, stages and verdicts of a browser record."""

import math
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.latency.routes import wrong_routes
from jamlab.measure.latency.verdicts import MAX_LAG_MS
from jamlab.measure.latency.worst_path import late_ms, one_session, possible, worst_path_verdict
from jamlab.measure.statistics import (
    Estimate,
    median,
    p95,
    proportion,
    resampling,
    share_of_sessions,
    worst_of,
)
from jamlab.measure.verdict import Outcome, Verdict, judge_below, unmeasured

STAGES = ("frame", "network", "jitter buffer", "playout")
"""Stages of a browser's path that ``getStats`` shows."""
_STAGE_COLUMNS = ["frame_ms", "round_trip_ms", "jitter_buffer_ms", "playout_ms"]
REST = "rest"
"""The name of the remainder, of which nothing reports the parts."""

_PATH = ["sender", "receiver"]
_CONCEALED = ["concealed_frames", "received_frames"]
_SESSIONS = 3
"""Sessions that bound a figure; two hardly do."""


def paths_table(record: BrowserRecord) -> pd.DataFrame:
    """Return a row per pair of players.

    Columns: ``sender``, ``receiver``, ``clicks``, ``sessions``, ``heard_share``, ``median_ms`` and
    ``p95_ms`` with ``…_low`` and ``…_high`` of their 95 % intervals, infinite where too many clicks
    were never heard or two sessions bound nothing, and ``concealed_share`` of the worst stream, NaN
    where the browser did not state it.
    """
    concealed = _concealed_shares(record)
    rows = []
    for path, clicks in record.clicks.groupby(_PATH, sort=False):
        row = dict(zip(_PATH, path, strict=True))
        row |= {"clicks": len(clicks), "sessions": clicks["session"].nunique()}
        row["heard_share"] = proportion(int(clicks["latency_ms"].notna().sum()), len(clicks)).value
        for name, estimate in (("median_ms", median), ("p95_ms", p95)):
            found = estimate(late_ms(clicks), resampling(), sessions=clicks["session"])
            found = _telling(possible(found), len(set(clicks["session"])))
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row | {"concealed_share": concealed.get(path, math.nan)})
    return pd.DataFrame(rows)


def _telling(found: Estimate, sessions: int) -> Estimate:
    """Return an estimate without its interval where that of two sessions says nothing."""
    if sessions < _SESSIONS and found.low <= 0 and found.high >= 2 * found.value:
        return replace(found, low=-math.inf, high=math.inf)
    return found


def _concealed_shares(record: BrowserRecord) -> dict[Any, float]:
    sums = _worst_streams(record).groupby(_PATH)[_CONCEALED].sum()
    return dict(sums["concealed_frames"] / sums["received_frames"])


def _worst_streams(record: BrowserRecord) -> pd.DataFrame:
    """Return the counters of the stream that concealed the largest share, per session and path.

    A stream without packets, e.g. one that is kept in reserve, counts where no other had any.
    """
    one = ["session", *_PATH]
    sums = record.statistics.groupby([*one, "stream"])[[*_CONCEALED, "packets_received"]].sum()
    sums = sums[sums["received_frames"] > 0].reset_index()
    sums["used"] = sums["packets_received"] > 0
    sums["share"] = sums["concealed_frames"] / sums["received_frames"]
    return sums.sort_values(["used", "share"]).groupby(one).tail(1)


def waterfall(record: BrowserRecord) -> pd.DataFrame:
    """Return the mean of each stage of the one-way latency, over the clicks that were heard.

    A click has the stages of its path in the second in which it was heard. Rows are `STAGES`, then
    `REST`; they add up to the mean latency of the clicks heard, in the row ``measured``. *frame* is
    the sender's packet, complete only at its end. *network* is half of the round trip, which is
    right only where both directions are alike. Inside the page, *playout* is not part of the path
    and is left out. The processing that a browser states is not added: in Chromium it is shorter
    than the jitter buffer, in which it overlaps. A rest below 0 is what the stages count twice.
    """
    means = _stages_of_clicks(record).mean()
    means["round_trip_ms"] /= 2
    stages = dict(zip(STAGES, means, strict=True))
    if record.provenance["parameters"]["audio"] == "injected":
        del stages["playout"]
    measured = record.clicks["latency_ms"].mean()
    known = {name: value for name, value in stages.items() if not math.isnan(value)}
    rows = [*known.items(), (REST, measured - sum(known.values())), ("measured", measured)]
    return pd.DataFrame(rows, columns=["stage", "mean_ms"])


def _stages_of_clicks(record: BrowserRecord) -> pd.DataFrame:
    """Return the statistics of the second in which each click was heard, a row a click."""
    heard = record.clicks.dropna(subset="latency_ms")
    heard = heard.assign(heard_s=heard["emitted_s"] + heard["latency_ms"] / 1000)
    known = (record.statistics["sender"] != "").all()  # a server's streams have no sender
    names = _PATH if known else ["receiver"]
    by, texts = ["session", *names], dict.fromkeys(names, "object")  # a group's key may differ
    seconds = record.statistics.groupby([*by, "at_s"], as_index=False)[_STAGE_COLUMNS].mean()
    seconds["at_s"] -= 0.5  # a row is of the second that ends then
    return pd.merge_asof(
        heard.sort_values("heard_s").astype(texts),
        seconds.sort_values("at_s").astype(texts),
        left_on="heard_s",
        right_on="at_s",
        by=by,
        direction="nearest",
    )[_STAGE_COLUMNS]


def verdicts(record: BrowserRecord) -> list[Verdict]:
    """Return the verdicts on the latency and on concealed sound; the worst path decides."""
    judged = [latency_verdict(record), concealed_verdict(record)]
    if any(invalid_because(record)) or record.clicks["session"].nunique() >= _SESSIONS:
        return judged
    words = f"Use --sessions {_SESSIONS} or more."
    return [
        replace(each, reason=f"{each.reason} {words}") if _open(each, record) else each
        for each in judged
    ]


def _open(verdict: Verdict, record: BrowserRecord) -> bool:
    """Return whether a verdict asks for further sessions."""
    if not verdict.target:
        return False  # there is no figure
    one = len(set(record.clicks["session"])) == 1
    return one or verdict.verdict is Outcome.INCONCLUSIVE


def latency_verdict(
    record: BrowserRecord, called: str = "one-way latency between browsers"
) -> Verdict:
    """Return the verdict on the highest 95th percentile of the latency.

    `called` is the figure's name in the verdict. The error of the clocks is that of all clicks
    alike, so it widens the interval at both ends.
    """
    target_ms = record.provenance["parameters"]["target_ms"]
    verdict = worst_path_verdict(
        record.clicks,
        f"{called}, 95th percentile of the worst path",
        target_ms,
        list(invalid_because(record)),
        error_ms=record.provenance["error_ms"],
    )
    if not (unheard := _unheard(record)):
        return verdict
    first = (
        f"{unheard[0].upper()}{unheard[1:]}: the receiver's page waits for a click, is muted, or "
        "plays into nothing; see docs/how-to/your-application.md."
    )
    return replace(verdict, reason=f"{first} {verdict.reason}")


def _unheard(record: BrowserRecord) -> str:
    """Return the paths of which no click was heard, in words; "" without any."""
    paths = [
        f"of {sender} was heard by {receiver}"
        for (sender, receiver), clicks in record.clicks.groupby(_PATH, sort=False)
        if clicks["latency_ms"].isna().all()
    ]
    return f"nothing {' and nothing '.join(paths)}" if paths else ""


def concealed_verdict(
    record: BrowserRecord, called: str = "concealed sound between browsers"
) -> Verdict:
    """Return the verdict on the highest share of concealed sound, a figure with a given name."""
    name = f"{called}, share of the worst path"
    limit = record.provenance["parameters"]["max_concealed_percent"]
    paths: dict[Any, pd.DataFrame] = dict(list(_worst_streams(record).groupby(_PATH)))
    if not paths:
        reason = "The browsers did not state how much sound was concealed."
        return unmeasured(name, Outcome.INCONCLUSIVE, reason)
    frames_ms = dict(record.statistics.groupby(_PATH)["frame_ms"].median())
    judged = worst_of([_concealed(paths[each], frames_ms[each], len(paths)) for each in paths])
    invalid = [*filter(None, [_unheard(record)]), *invalid_because(record)]
    verdict = judge_below(name, limit, judged, "%", invalid)
    if invalid:
        return verdict
    if verdict.verdict is not Outcome.FAIL and (unstated := _unstated(record, paths)):
        return replace(verdict, verdict=Outcome.INCONCLUSIVE, reason=unstated)
    return replace(verdict, reason=" ".join((verdict.reason, *one_session(record.statistics))))


def _unstated(record: BrowserRecord, stated: Container[tuple[str, str]]) -> str:
    """Return a sentence on the paths whose concealed sound nobody knows; "" without any.

    A server's streams have no sender, and state all paths to their receiver.
    """
    paths = record.clicks[_PATH].drop_duplicates().itertuples(index=False, name=None)
    lacking = [
        f"from {sender} to {receiver}"
        for sender, receiver in paths
        if (sender, receiver) not in stated and ("", receiver) not in stated
    ]
    if not lacking:
        return ""
    return (
        f"The browser states no received sound {', '.join(lacking)}, so nobody knows how much of "
        "it was concealed; a page that plays sound from a data channel states it by "
        "`window.jamlabCounters`."
    )


def _concealed(counted: pd.DataFrame, frame_ms: float, among: int) -> Estimate:
    """Return a path's concealed share, in percent, from a row a session.

    Packets count, not samples.
    """
    packet = 960.0 if math.isnan(frame_ms) or frame_ms <= 0 else frame_ms * 48
    share = share_of_sessions(
        counted["concealed_frames"] / packet, counted["received_frames"] / packet, among=among
    )
    return Estimate(100 * share.value, 100 * share.low, 100 * share.high, share.confidence)


def invalid_because(record: BrowserRecord) -> Iterator[str]:
    """Yield each reason why the run is invalid, as words to follow "because"."""
    pauses_ms = record.provenance["pauses_ms"]
    if pauses_ms > MAX_LAG_MS:
        yield (
            f"the audio of a page stood still for {pauses_ms:.0f} ms (limit {MAX_LAG_MS:g} ms), "
            "which a busy machine does"
        )
    yield from wrong_routes(record.provenance)
