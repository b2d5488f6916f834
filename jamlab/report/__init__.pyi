from . import (
    acceptance,
    across_networks,
    browser,
    browser_networks,
    connectivity,
    dump,
    ensemble,
    latency,
    live_mesh,
    playout,
    recording,
    rig,
    session_connectivity,
    sound_quality,
)
from .page.html import notebook_path, render, verification_report
from .page.progress import ProgressBar
from .page.tables import judged_table

__all__ = [
    "ProgressBar",
    "acceptance",
    "across_networks",
    "browser",
    "browser_networks",
    "connectivity",
    "dump",
    "ensemble",
    "judged_table",
    "latency",
    "live_mesh",
    "notebook_path",
    "playout",
    "recording",
    "render",
    "rig",
    "session_connectivity",
    "sound_quality",
    "verification_report",
]
