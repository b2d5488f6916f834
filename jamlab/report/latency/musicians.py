"""Tables of what a latency means to musicians, with the published experiments."""

import math
from html import escape
from itertools import pairwise

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from jamlab.measure.digits import measured
from jamlab.measure.latency import musicians
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.verdicts import verdicts
from jamlab.measure.sound_card.mouth_to_ear import NOT_MEASURED, mouth_to_ear_ms
from jamlab.measure.sound_card.record import CardRecord
from jamlab.report.page.tables import styled_table

_UNKNOWN = "The latency that musicians hear: the figure above and the latency of sound cards."


def figures_table(record: LatencyRecord, card: CardRecord | None = None) -> Styler:
    """Return the measured one-way latency and its meaning, without and with sound cards."""
    judged = [each for each in verdicts(record) if musicians.of_verdict(each)]
    rows = [
        {
            "Figure": f"Network and virtual cards: {each.name}",
            "Measured": each.measured,
            "To musicians": musicians.of_verdict(each),
        }
        for each in judged
    ]
    return styled_table(pd.DataFrame([*rows, _heard(record, card)]).map(escape), "musicians")


def _heard(record: LatencyRecord, card: CardRecord | None) -> dict[str, str]:
    heard = mouth_to_ear_ms(record, card)
    if heard is None:
        return {"Figure": "Mouth to ear", "Measured": NOT_MEASURED, "To musicians": _UNKNOWN}
    ms = heard.value, heard.low, heard.high
    return {
        "Figure": "Mouth to ear, median of the slowest path: the latency that musicians hear",
        "Measured": measured(*ms, "ms"),
        "To musicians": musicians.meaning(*ms),
    }


def bands() -> HTML:
    """Return the meaning of one-way latencies to musicians, a row per range, and the sources."""
    ends_ms = [0.0, *(band.below_ms for band in musicians.BANDS)]
    rows = [
        {
            "One way": _range(low_ms, high_ms),
            "To musicians": band.words,
            "Source": "; ".join(source.cited for source in band.sources),
        }
        for band, (low_ms, high_ms) in zip(musicians.BANDS, pairwise(ends_ms), strict=True)
    ]
    table = styled_table(pd.DataFrame(rows).map(escape), "bands").to_html()
    items = (
        f"<li>{escape(each.cited)}: <i>{escape(each.title)}</i>. {escape(each.published)}.</li>"
        for each in musicians.SOURCES
    )
    return HTML(f'{table}<ul class="sources">{"".join(items)}</ul>')  # type: ignore[no-untyped-call]


def _range(low_ms: float, high_ms: float) -> str:
    return f"{low_ms:g} ms and more" if math.isinf(high_ms) else f"{low_ms:g} to {high_ms:g} ms"
