"""Widgets for JupyterLab: each a Python module, beside it the script and style of its front end."""

from jamlab.widgets.meter import LevelMeters

__all__ = ["LevelMeters"]
