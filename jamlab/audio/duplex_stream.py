"""A stream of PortAudio's that exchanges blocks of 48 kHz, whatever the device's rate.

`jamlab.audio.device` and the measurement of a card open it in the same way, so that what is
measured is what a session has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from jamlab.audio.conversion.channels import Samples
from jamlab.audio.conversion.rate_converter import RateConverter
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio.portaudio import (
    Device,
    at_first_rate,
    block_sizes,
    close,
    explained,
    opened,
    portaudio,
    rates_of,
)

MOST_LATENCY_S = 10.0
"""Longer than any card's; PipeWire's JACK states days."""

Exchange: TypeAlias = Callable[[Samples], Samples]
"""Takes a captured block, one silent channel where nothing is captured, and returns the block to
play. It is called on PortAudio's thread."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The devices to open, how many channels of each, and the length of blocks."""

    source: Device | None
    """The input; None to capture nothing."""
    output: Device
    captured_channels: int
    played_channels: int
    block_frames: int
    latency: str | float
    adapting: bool = False
    """Whether the driver's own blocks had another length when the card was opened before."""

    @property
    def names(self) -> str:
        """The devices, for an error."""
        if self.source is None:
            return f"the output device {self.output.name!r}"
        return f"the pair of {self.source.name!r} and {self.output.name!r}"


class DuplexStream:
    """A stream, opened and started; raises `DeviceError` when that is not possible.

    `exchange` gets blocks of `block_frames` only: `misfit` is called instead when the driver's
    blocks have another length, and silence is played. `after` is called after each block of the
    driver's, with its status.
    """

    def __init__(
        self,
        terms: Terms,
        exchange: Exchange,
        *,
        misfit: Callable[[], None],
        after: Callable[[Any], None],
    ) -> None:
        self.terms = terms
        self.rate: float = SAMPLE_RATE
        self._exchange, self._misfit, self._after = exchange, misfit, after
        self._converter: RateConverter | None = None
        self._stream: Any = None
        known = [device for device in (terms.output, terms.source) if device is not None]
        try:
            self._stream = opened(partial(at_first_rate, rates_of(*known), self._made))
            self._stream.start()
        except Exception as error:  # PortAudio's own, and of what it read from drivers
            self.close()
            raise explained(error, terms.names) from error

    @property
    def conversion_s(self) -> float:
        """Delay of the conversion to 48 kHz and back; 0 at 48 kHz."""
        return 0.0 if self._converter is None else self._converter.delay_s

    @property
    def stated_latency_s(self) -> float | None:
        """Latency of input and output together, as the driver states it; None for no such time."""
        stated = float(np.sum(self._stream.latency))
        return stated if 0 < stated < MOST_LATENCY_S else None

    def close(self) -> None:
        """Close the stream, if it is open; it is silent from now on."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            close(stream, self.terms.output.host)

    def _made(self, rate: float) -> Any:
        """Return a new stream at a rate; it is not started."""
        self.rate, self._converter = rate, self._converter_for(rate)
        terms = self.terms
        frames = round(terms.block_frames * rate / SAMPLE_RATE)
        sizes = block_sizes(terms.output.host, frames)
        common = {
            "samplerate": rate,
            "blocksize": sizes[-1 if terms.adapting else 0],
            "dtype": "float32",
            "latency": terms.latency,
        }
        if terms.source is None:
            return portaudio().OutputStream(
                device=terms.output.index,
                channels=terms.played_channels,
                callback=lambda *block: self._called_back(None, *block),
                **common,
            )
        return portaudio().Stream(
            device=(terms.source.index, terms.output.index),
            channels=(terms.captured_channels, terms.played_channels),
            callback=self._called_back,
            **common,
        )

    def _converter_for(self, rate: float) -> RateConverter | None:
        if rate == SAMPLE_RATE:
            return None
        terms = self.terms
        captured = 1 if terms.source is None else terms.captured_channels
        return RateConverter(
            rate, terms.block_frames, captured, terms.played_channels, self._exchange
        )

    def _called_back(
        self, captured: Any, played: Any, frames: int, _time: Any, status: Any
    ) -> None:
        """Copy both ways: PortAudio's callback, on its thread."""
        played[:] = 0
        if self._stream is None:  # it was closed just now, or cannot be
            return
        if captured is None:
            captured = np.zeros((frames, 1), dtype=np.float32)
        if self._converter is not None:
            played[:] = self._converter.exchange(captured)
        elif frames == self.terms.block_frames:
            played[:] = self._exchange(captured)
        else:
            return self._misfit()
        self._after(status)
