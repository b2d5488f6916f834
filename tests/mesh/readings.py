"""Two example readings of a connection, two seconds apart, and changes to them."""

import dataclasses

from jamlab.mesh.connection.capture import Capture
from jamlab.mesh.connection.readings import Reading, RtcpReading, StreamReading
from jamlab.mesh.connection.timeline import Waits

BEFORE = Reading(
    at_s=10.0,
    peer_id="ben",
    connection=1,
    rtcp=RtcpReading(0.030, 1000, 10, 50_000, 40_000),
    stream=StreamReading(48_000, 480, 120, Waits(0.004, 0.002)),
    capture=Capture(64, 120),
    candidates=("host", "srflx"),
)
AFTER = Reading(
    at_s=12.0,
    peer_id="ben",
    connection=1,
    rtcp=RtcpReading(0.040, 1780, 30, 90_000, 60_000),
    stream=StreamReading(48_000 + 94_080, 480 + 1920, 240, Waits(0.005, 0.0025)),
    capture=Capture(64, 120),
    candidates=("host", "srflx"),
)


def changed(reading, **changes):
    """A reading with other values, those of its parts included."""
    parts = {
        name: dataclasses.replace(
            getattr(reading, name),
            **{field: changes.pop(field) for field in list(changes) if field in fields},
        )
        for name in ("rtcp", "stream")
        if (fields := {field.name for field in dataclasses.fields(getattr(reading, name))})
    }
    return dataclasses.replace(reading, **parts, **changes)
