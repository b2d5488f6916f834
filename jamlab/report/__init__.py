"""Tables and figures of each measurement's records, and one HTML page made of them.

A measurement's are in the folder of its name, e.g. ``jamlab.report.latency``; the names are in
``__init__.pyi`` and are imported when they are asked for.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
