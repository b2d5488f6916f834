"""The search of a participant's recordings for clicks, after all sessions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path as Folder

import pandas as pd

from jamlab.measure.latency.click_paths import Path, click_table, waveform_table
from jamlab.measure.latency.plan import Stretch, stretches
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.stages import StreamTimes
from jamlab.measure.loop_lag import LoopLag
from jamlab.measure.process_mesh.emission import Emission
from jamlab.measure.process_mesh.part import Part
from jamlab.measure.provenance import provenance


def record_of(
    parts: Sequence[Part],
    folder: Folder,
    lag: LoopLag,
    *,
    real_time: bool,
    progress: Callable[[float], None],
) -> LatencyRecord:
    """Return a record of the paths that end at our loudspeaker, one way and there and back.

    The folder has the others' emissions. `progress` takes the share that is done, after each path.
    """
    readings = []
    for done, part in enumerate(parts):
        emissions = {name: Emission.load(folder, part.session, name) for name in part.others}
        for path in paths_of(part, emissions):
            readings.append((path, path.readings()))
            progress(done / len(parts))
    return LatencyRecord(
        click_table(readings),
        pd.DataFrame([row for part in parts for row in part.streams]),
        waveform_table(readings),
        provenance(parts[0].plan.to_dict(), loop_lag=lag.to_dict(), real_time=real_time),
    )


def paths_of(part: Part, emissions: Mapping[str, Emission]) -> Iterator[Path]:
    """Yield the paths of a session that end at our loudspeaker; emissions are by name."""
    me = part.me.name
    for number, stretch in enumerate(stretches(part.plan)):
        for emitter, peer in stretch.pairs(part.plan.names):
            if stretch.echoing and emitter == me:
                span = part.spans[number]
                yield Path(stretch.measurement, part.me, part.me, peer, *span, None, part.session)
            elif not stretch.echoing and peer == me:
                yield _one_way(part, stretch, emissions[emitter], number)


def _one_way(part: Part, stretch: Stretch, emission: Emission, number: int) -> Path:
    return Path(
        stretch.measurement,
        emission.emitter(part.plan.metronomes()[emission.name]),
        part.me,
        part.me.name,
        *emission.spans[number],
        _times(part, emission),
        part.session,
    )


def _times(part: Part, emission: Emission) -> StreamTimes | None:
    reception = part.receptions.get(emission.name)
    origin = emission.origins.get(part.me.name)
    if reception is None or origin is None:
        return None
    return StreamTimes(
        emission.sent,
        reception.history,
        origin,
        emission.emitter(part.me.metronome).card,
        part.me.card,
        reception.playout_origin,
        reception.lookahead_s,
    )
