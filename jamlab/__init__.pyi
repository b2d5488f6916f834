from .audio.card import Recording, VirtualCard, no_sound
from .audio.device import DeviceCard
from .audio.metronome import Metronome
from .audio.signals import clipped, one_side, pink_noise
from .cli.join import companion
from .ice.file import load_configurations
from .measure.acceptance.record import AcceptanceRecord
from .measure.acceptance.run import acceptance_tests, measure_acceptance
from .measure.acceptance.sines import AES17_HZ, tone
from .measure.across_networks.kernel import kernel_plan, measure_kernel
from .measure.across_networks.kernel_record import load_runs
from .measure.across_networks.simulated import across_plan, measure_across
from .measure.browser.plan import BrowserPlan
from .measure.browser.record import BrowserRecord
from .measure.browser.run import measure_browsers
from .measure.browser.sweep import advice, load_sweep, measure_sweep
from .measure.browser_acceptance.run import (
    browser_acceptance_tests,
    measure_browser_acceptance,
)
from .measure.browser_networks.plan import browser_networks_plan
from .measure.browser_networks.record import load_browser_networks
from .measure.browser_networks.run import measure_browser_networks
from .measure.connectivity.plan import ConnectivityPlan, measure_connectivity
from .measure.connectivity.population import load_population
from .measure.connectivity.record import ConnectivityRecord
from .measure.connectivity.this_machine import ThisMachinePlan, measure_this_machine
from .measure.connectivity_on_kernel.run import agreement_of, browser_agreement_of, server_logs
from .measure.dump.dump import read_dump
from .measure.dump.example import example_dump
from .measure.dump.verdicts import dump_verdicts
from .measure.ensemble.groups import ensemble_groups, ensemble_pairs
from .measure.ensemble.tempo import tempo_outlook
from .measure.ensemble.words import ensemble_advice
from .measure.latency.example import example_record
from .measure.latency.plan import LatencyPlan
from .measure.latency.record import LatencyRecord
from .measure.latency.verdicts import paths_table, verdicts, waterfall
from .measure.latency.worker import measure_in_worker
from .measure.live_mesh.answer import answering
from .measure.live_mesh.ask import measure_mesh
from .measure.live_mesh.round_trip import measure_round_trip, measuring_participant
from .measure.playout.example import example_trace
from .measure.playout.plan import PlayoutPlan
from .measure.playout.record import PlayoutRecord
from .measure.playout.run import measure_playout
from .measure.playout.verdicts import playout_verdicts
from .measure.recording.analysis import analyse
from .measure.recording.click_file import ClickTrack, write_clicks
from .measure.recording.delays import delay_table
from .measure.recording.example import example_take
from .measure.recording.record import RecordingRecord
from .measure.recording.verdicts import recording_verdicts
from .measure.recording.windows import window_table
from .measure.rig.plan import RigPlan
from .measure.rig.presets import rig_plan
from .measure.rig.record import RigRecord, load_systems
from .measure.rig.run import measure_rig
from .measure.session_connectivity.plan import SessionPlan, measure_sessions, sessions_of
from .measure.sound_card.loopback import LoopbackPlan
from .measure.sound_card.record import CardRecord, measure_card
from .measure.sound_quality.encodings import encodings_table
from .measure.sound_quality.plan import SoundQualityPlan
from .measure.sound_quality.record import SoundQualityRecord
from .measure.sound_quality.run import measure_sound_quality
from .media.playout.delay import DelayBounds
from .media.quality import HIGH_QUALITY, LOW_LATENCY, Quality
from .mesh.service import WebRTCAudioService
from .mesh.session import JamSession
from .networks.port_mapping.mapper import PortMapper
from .networks.traces.reading import read_trace
from .signaling.hub.server import Hub
from .signaling.memory import MemoryChannel
from .signaling.supabase.channel import SupabaseChannel

__all__ = [
    "AES17_HZ",
    "HIGH_QUALITY",
    "LOW_LATENCY",
    "AcceptanceRecord",
    "BrowserPlan",
    "BrowserRecord",
    "CardRecord",
    "ClickTrack",
    "ConnectivityPlan",
    "ConnectivityRecord",
    "DelayBounds",
    "DeviceCard",
    "Hub",
    "JamSession",
    "LatencyPlan",
    "LatencyRecord",
    "LoopbackPlan",
    "MemoryChannel",
    "Metronome",
    "PlayoutPlan",
    "PlayoutRecord",
    "PortMapper",
    "Quality",
    "Recording",
    "RecordingRecord",
    "RigPlan",
    "RigRecord",
    "SessionPlan",
    "SoundQualityPlan",
    "SoundQualityRecord",
    "SupabaseChannel",
    "ThisMachinePlan",
    "VirtualCard",
    "WebRTCAudioService",
    "acceptance_tests",
    "across_plan",
    "advice",
    "agreement_of",
    "analyse",
    "answering",
    "browser_acceptance_tests",
    "browser_agreement_of",
    "browser_networks_plan",
    "clipped",
    "companion",
    "delay_table",
    "dump_verdicts",
    "encodings_table",
    "ensemble_advice",
    "ensemble_groups",
    "ensemble_pairs",
    "example_dump",
    "example_record",
    "example_take",
    "example_trace",
    "kernel_plan",
    "load_browser_networks",
    "load_configurations",
    "load_population",
    "load_runs",
    "load_sweep",
    "load_systems",
    "measure_acceptance",
    "measure_across",
    "measure_browser_acceptance",
    "measure_browser_networks",
    "measure_browsers",
    "measure_card",
    "measure_connectivity",
    "measure_in_worker",
    "measure_kernel",
    "measure_mesh",
    "measure_playout",
    "measure_rig",
    "measure_round_trip",
    "measure_sessions",
    "measure_sound_quality",
    "measure_sweep",
    "measure_this_machine",
    "measuring_participant",
    "no_sound",
    "one_side",
    "paths_table",
    "pink_noise",
    "playout_verdicts",
    "read_dump",
    "read_trace",
    "recording_verdicts",
    "rig_plan",
    "server_logs",
    "sessions_of",
    "tempo_outlook",
    "tone",
    "verdicts",
    "waterfall",
    "window_table",
    "write_clicks",
]
