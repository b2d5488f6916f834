"""Build a real WebRTC jam session, measure it, and hand on the report.

What is here is imported when it is asked for (PEP 562): a process that only carries packets does
not wait for codecs, tables and plots.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jamlab.audio.card import Recording, VirtualCard
    from jamlab.audio.metronome import Metronome
    from jamlab.measure.latency.plan import LatencyPlan
    from jamlab.measure.latency.record import LatencyRecord
    from jamlab.measure.latency.verdicts import paths_table, verdicts, waterfall
    from jamlab.measure.latency.worker import measure_in_worker
    from jamlab.measure.sound_card.record import CardRecord
    from jamlab.media.quality import HIGH_QUALITY, LOW_LATENCY, Quality
    from jamlab.mesh.service import WebRTCAudioService
    from jamlab.mesh.session import JamSession
    from jamlab.signaling.memory import MemoryChannel

__all__ = [
    "HIGH_QUALITY",
    "LOW_LATENCY",
    "CardRecord",
    "JamSession",
    "LatencyPlan",
    "LatencyRecord",
    "MemoryChannel",
    "Metronome",
    "Quality",
    "Recording",
    "VirtualCard",
    "WebRTCAudioService",
    "measure_in_worker",
    "paths_table",
    "verdicts",
    "waterfall",
]

_HOMES = {
    "jamlab.audio.card": ("Recording", "VirtualCard"),
    "jamlab.audio.metronome": ("Metronome",),
    "jamlab.measure.latency.plan": ("LatencyPlan",),
    "jamlab.measure.latency.record": ("LatencyRecord",),
    "jamlab.measure.latency.verdicts": ("paths_table", "verdicts", "waterfall"),
    "jamlab.measure.latency.worker": ("measure_in_worker",),
    "jamlab.measure.sound_card.record": ("CardRecord",),
    "jamlab.media.quality": ("HIGH_QUALITY", "LOW_LATENCY", "Quality"),
    "jamlab.mesh.service": ("WebRTCAudioService",),
    "jamlab.mesh.session": ("JamSession",),
    "jamlab.signaling.memory": ("MemoryChannel",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
