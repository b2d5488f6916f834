from .meter import LevelMeters
from .panel import SessionPanel
from .permission import MicrophonePermission

__all__ = [
    "LevelMeters",
    "MicrophonePermission",
    "SessionPanel",
]
