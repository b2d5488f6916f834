"""Widgets for JupyterLab: each a Python module, beside it the script and style of its front end."""

from jamlab.widgets.meter import LevelMeters
from jamlab.widgets.panel import SessionPanel
from jamlab.widgets.permission import MicrophonePermission

__all__ = ["LevelMeters", "MicrophonePermission", "SessionPanel"]
