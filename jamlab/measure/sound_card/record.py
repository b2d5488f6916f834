"""Records of a sound card's loopback latency, for use in later reports.

======================  =============================================================
``loopback.parquet``    a row per click and block size, columns as of
                        `jamlab.measure.sound_card.loopback.measure_loopback`
``provenance.json``     versions, machine, parameters, devices
======================  =============================================================

A figure holds for one block size, because the driver's buffers depend on it.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import pandas as pd

from jamlab.audio.portaudio import Device, DeviceError, pair_named
from jamlab.measure.provenance import provenance
from jamlab.measure.record import Keys, Record, Tables
from jamlab.measure.sound_card.loopback import (
    CARD_COLUMNS,
    LoopbackPlan,
    check_loop,
    loopback_table,
)
from jamlab.measure.sound_card.loopback import measure_loopback as measure_clicks
from jamlab.measure.statistics import Estimate, median, resampling
from jamlab.measure.table import Table


@dataclass(frozen=True, eq=False)
class CardRecord(Record):
    """The round trip of one sound card, at one or more block sizes."""

    TABLES: ClassVar[Tables] = {"loopback": Table(CARD_COLUMNS)}
    KEYS: ClassVar[Keys] = {"devices.output.name": str, "devices.input.name": str}
    WRITTEN_BY = "`jamlab latency --device --out FOLDER`"

    loopback: pd.DataFrame
    provenance: dict[str, Any]

    @classmethod
    def of(
        cls, clicks: pd.DataFrame, plan: LoopbackPlan, output: Device, source: Device
    ) -> "CardRecord":
        """Make the record of a measurement that ends now.

        Raises `DeviceError` when too few clicks came back, or their times disagree.
        """
        check_loop(loopback_table(clicks))
        parameters = asdict(plan) | {"block_frames": list(plan.block_frames)}
        devices = {"output": _described(output), "input": _described(source)}
        return cls(clicks, provenance(parameters, devices=devices))

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Block sizes with a figure, in order."""
        sizes = sorted({int(frames) for frames in self.loopback["block_frames"]})
        return tuple(frames for frames in sizes if self.round_trip_frames(frames) is not None)

    def round_trip_frames(self, block_frames: int) -> Estimate | None:
        """Return the median round trip at a block size; None where `fault` says why."""
        if self.fault(block_frames):
            return None
        heard = self._of(block_frames)["round_trip_frames"].dropna().to_numpy()
        return median(heard, resampling())

    def fault(self, block_frames: int) -> str:
        """Return why a block size has no round trip, as "not measured …"; "" if it has one."""
        clicks = self._of(block_frames)
        if not len(clicks):
            measured = ", ".join(map(str, self.block_sizes)) or "none"
            return f"not measured at blocks of {block_frames} frames (measured: {measured})"
        try:
            check_loop(loopback_table(clicks))
        except DeviceError:
            return (
                f"not measured at blocks of {block_frames} frames: too few clicks came back, or "
                "at times that disagree"
            )
        return ""

    def _of(self, block_frames: int) -> pd.DataFrame:
        return self.loopback.loc[self.loopback["block_frames"] == block_frames]

    def confidence(self, block_frames: int) -> float:
        """Return the median confidence of the clicks at a block size; NaN without any."""
        return float(self._of(block_frames)["confidence"].median())

    @property
    def name(self) -> str:
        """Names of the devices."""
        devices = self.provenance["devices"]
        return f"{devices['output']['name']} → {devices['input']['name']}"


def measure_card(
    plan: LoopbackPlan,
    input_device: str | int | None = None,
    output_device: str | int | None = None,
) -> CardRecord:
    """Measure a card's loopback, one block size after the other.

    Raises `DeviceError` when a device cannot be used, or `CardRecord.of` would refuse; the rest is
    not measured.
    """
    source, output = pair_named(input_device, output_device)
    measured = []
    for block_frames in plan.block_frames:
        one = replace(plan, block_frames=(block_frames,))
        measured.append(measure_clicks(one, source.title, output.title))
        check_loop(loopback_table(measured[-1]))
    return CardRecord.of(pd.concat(measured, ignore_index=True), plan, output, source)


def _described(device: Device) -> dict[str, str]:
    return {"name": device.name, "host": device.host}
