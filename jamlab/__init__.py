"""Build a real WebRTC jam session, measure it, and hand on the report."""

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.measure.card_record import CardRecord
from jamlab.measure.plan import LatencyPlan
from jamlab.measure.record import LatencyRecord
from jamlab.measure.summary import paths_table, verdicts, waterfall
from jamlab.measure.worker import measure_in_worker
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
