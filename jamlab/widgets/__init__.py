"""Widgets for JupyterLab: each is a Python module with a script and a style sheet next to it."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
