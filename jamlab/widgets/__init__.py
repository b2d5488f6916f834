"""Widgets for JupyterLab: each a Python module, beside it the script and style of its front end."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
