"""Tables of what measured latencies mean to an ensemble."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
