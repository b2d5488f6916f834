"""Traces that a link can replay: of delays or of deliveries, and their way to another process."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.delivery import DeliveryTrace
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.trace import DelayTrace

PacketTrace: TypeAlias = DelayTrace | DeliveryTrace

PACKET_BYTES, PACKET_S = 250, 0.010
"""Size and interval of the packets whose delays a `DeliveryTrace` is described by: those of one
participant's sound with headers, sent to one peer."""

_NUMBER = np.dtype("<f8")


def delays_of(trace: PacketTrace) -> DelayTrace:
    """Return a trace's delays: its own, or those of packets of sound at its opportunities."""
    if isinstance(trace, DelayTrace):
        return trace
    return trace.delays(PACKET_BYTES, PACKET_S)


def data_of(link: LinkConfig) -> dict[str, Any]:
    """Return the properties of a link for JSON, its trace included."""
    data = {field.name: getattr(link, field.name) for field in fields(link)}
    trace = data["trace"]
    return data | {"trace": None if trace is None else _trace_data(trace)}


def link_of(data: Mapping[str, Any]) -> LinkConfig:
    """Return the properties of a link that `data_of` described."""
    trace = data["trace"]
    return LinkConfig(**{**data, "trace": None if trace is None else _trace_of(trace)})


def _trace_data(trace: PacketTrace) -> dict[str, Any]:
    if isinstance(trace, DeliveryTrace):
        return {
            "name": trace.name,
            "opportunities_s": _text_of(trace.opportunities_s),
            "queue_bytes": trace.queue_bytes,
        }
    return {
        "name": trace.name,
        "sent_s": _text_of(trace.sent_s),
        "delay_s": _text_of(trace.delay_s),
        "absolute": trace.absolute,
    }


def _trace_of(data: Mapping[str, Any]) -> PacketTrace:
    if "opportunities_s" in data:
        opportunities_s = _array_of(data["opportunities_s"])
        return DeliveryTrace(data["name"], opportunities_s, data["queue_bytes"])
    sent_s, delay_s = _array_of(data["sent_s"]), _array_of(data["delay_s"])
    return DelayTrace(data["name"], sent_s, delay_s, data["absolute"])


def _text_of(numbers: NDArray[np.float64]) -> str:
    """Return numbers as text, exactly and shortly: base64 of little-endian float64."""
    return b64encode(numbers.astype(_NUMBER).tobytes()).decode("ascii")


def _array_of(text: str) -> NDArray[np.float64]:
    return np.frombuffer(b64decode(text), _NUMBER).astype(np.float64)
