"""Build a real WebRTC jam session, measure it, and hand on the report.

The names are in ``__init__.pyi`` and are imported when they are asked for (PEP 562, SPEC 1): a
process that only carries packets does not wait for codecs, tables and plots.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
