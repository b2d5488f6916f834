from .browser_peer import BrowserPeer
from .meter import LevelMeters
from .panel import SessionPanel
from .permission import MicrophonePermission

__all__ = [
    "BrowserPeer",
    "LevelMeters",
    "MicrophonePermission",
    "SessionPanel",
]
