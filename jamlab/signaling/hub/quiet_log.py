"""Logger for the WebSocket library that writes neither keys nor clients' faults."""

import logging
from collections.abc import MutableMapping
from typing import Any

_CLIENTS_FAULTS = ("opening handshake failed",)
"""Records about sockets that sent no request, or none that can be read: browsers open some in
advance, and anybody can open one."""


class QuietLog(logging.LoggerAdapter[logging.Logger]):
    """Logger without records that may quote a request with its key, or that clients cause."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (logging's own name)
        """Return whether a level is logged."""
        return level > logging.DEBUG and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a record, unless a client caused it."""
        if msg not in _CLIENTS_FAULTS:
            super().log(level, msg, *args, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, Any]:
        """Take the exception out of a record."""
        return msg, {**kwargs, "exc_info": None}
