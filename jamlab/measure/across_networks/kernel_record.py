"""Records of latency on the kernel's network, where all participants share one clock.

The files are those of a `MeshRecord`, whose provenance has in addition:

========== ============================================================================
number     position of the case in the run
network    name of the profile; None for cables without delay or loss
replayed   of a given trace: least delay, mean jitter and loss of a path, and its source
delay_s    sum of the delays of the links on a path, without jitter; of a trace the least
route      requested route of packets: direct or relayed
routes     route from each participant to each other one, as reported by it
links      counters of the carrier of each link (`jamlab.networks.kernel.tun_link.LinkReport`)
added      latency added by carriers (`jamlab.measure.across_networks.carrier_delay.AddedLatency`)
no_netem   reason why the kernel has no netem; None if it has (`jamlab.networks.kernel.tun`)
========== ============================================================================

With one clock, the time from emission to hearing is the latency. The interval that two unknown
clocks would have given is computed as well: the latency has to lie within it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from jamlab.measure.across_networks.simulated import load_across
from jamlab.measure.latency.record import CLICK_COLUMNS, PARAMETERS, LatencyRecord
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.live_mesh.pairs import pairs_table
from jamlab.measure.live_mesh.record import MeshRecord
from jamlab.measure.record import NUMBER, Contents, Keys, RecordError

RECORDS = "[0-9][0-9]/packets.parquet"
"""Pattern of a file that each record of a run has, in a folder named by its number."""


class KernelMeshRecord(MeshRecord):
    """The files of a case."""

    KEYS: ClassVar[Keys] = {
        "number": int,
        "network": str | None,
        "delay_s": NUMBER,
        "route": str,
        **PARAMETERS,
    }
    WRITTEN_BY = "`jamlab verify --network kernel`"


@dataclass(frozen=True, eq=False)
class KernelRecord(LatencyRecord):
    """One case: the latencies of a mesh whose participants share a clock, without stages."""

    mesh: MeshRecord

    @classmethod
    def of(cls, mesh: MeshRecord) -> Self:
        """Compute latencies from a mesh's record by the shared clock."""
        reports = mesh.participants.set_index("name")
        lag_ms = {"p99_ms": float(reports["lag_p99_ms"].max())}
        return cls(
            _clicks(mesh.clicks),
            _streams(mesh.streams, reports["underrun_share"]),
            pd.DataFrame(),
            mesh.provenance | {"loop_lag": lag_ms},
            mesh,
        )

    @property
    def name(self) -> str:
        """The name of the case for readers."""
        return case_name(self.provenance["network"], self.provenance["route"])

    def save(self, folder: Path, beside: Contents | None = None) -> Path:
        """Write the mesh's record into a folder; returns the folder."""
        return self.mesh.save(folder, beside)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a record; raises `RecordError` as `MeshRecord.load`."""
        return cls.of(KernelMeshRecord.load(folder))


def case_name(profile: str | None, route: str) -> str:
    """Return the name of a case for readers."""
    return f"{profile or 'no distance'}, {route}"


def _clicks(clicks: pd.DataFrame) -> pd.DataFrame:
    found = clicks.assign(
        session=0,
        measurement=ONE_WAY,
        latency_ms=(clicks["heard_s"] - clicks["emitted_s"]) * 1000,
        emitted_s=clicks["emitted_s"] - clicks["emitted_s"].min(),
    )
    return found.reindex(columns=list(CLICK_COLUMNS)).astype(CLICK_COLUMNS)


def _streams(streams: pd.DataFrame, underrun_share: "pd.Series[float]") -> pd.DataFrame:
    """Return the streams' counters, with underruns as shares, as in the mesh's record."""
    return streams.assign(
        session=0,
        measurement=ONE_WAY,
        echoing="",
        card_blocks=1.0,
        card_underruns=streams["receiver"].map(underrun_share),
    )


def load_runs(folder: Path) -> dict[str, LatencyRecord]:
    """Read the records of a run across networks, be it on the simulated internet or the kernel's.

    Raises `RecordError` when there is none, or one cannot be read.
    """
    if is_kernel_run(folder):
        return dict(load_kernel(folder))
    found = load_across(folder)
    if not found:
        raise RecordError(f"{folder} holds no run across networks: name one that does")
    return found


def is_kernel_run(folder: Path) -> bool:
    """Return whether a folder holds records of a run on the kernel's network."""
    return any(folder.glob(RECORDS))


def load_kernel(folder: Path) -> dict[str, KernelRecord]:
    """Read the records of a run on the kernel's network, by case, in the order of the run.

    Raises `RecordError` when there is none, or one cannot be read.
    """
    if not is_kernel_run(folder):
        raise RecordError(f"{folder} holds no run on the kernel's network: name one that does")
    found = [KernelRecord.load(path.parent) for path in folder.glob(RECORDS)]
    found.sort(key=lambda record: record.provenance["number"])
    return {record.name: record for record in found}


def bounds_table(record: KernelRecord) -> pd.DataFrame:
    """Return a row per ordered pair: its latency next to its bounds, in milliseconds.

    Columns: ``sender``, ``receiver``; ``median_ms``, by the shared clock; ``one_way_min_ms`` and
    ``one_way_max_ms``, the bounds that two unknown clocks would have given
    (`jamlab.measure.live_mesh.pairs`); ``packet_ms``, the least time from a packet's last sample to
    its arrival; ``least_ms``, below which nothing can be: packet, look-ahead, the receiver's block
    and the delay of the links.
    """
    pairs = pairs_table(record.mesh)
    floors_ms = record.mesh.streams.set_index(["sender", "receiver"])["floor_ms"]
    rows = [
        {
            "sender": row["sender"],
            "receiver": row["receiver"],
            "one_way_min_ms": row["one_way_min_ms"],
            "one_way_max_ms": row["one_way_max_ms"],
            "least_ms": floors_ms[row["sender"], row["receiver"]]
            + record.provenance["delay_s"] * 1000,
            **_measured(record.mesh, row["sender"], row["receiver"]),
        }
        for row in pairs.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _measured(mesh: MeshRecord, sender: str, receiver: str) -> dict[str, Any]:
    clicks, packets = (
        table[(table["sender"] == sender) & (table["receiver"] == receiver)]
        for table in (mesh.clicks, mesh.packets)
    )
    heard_ms = (clicks["heard_s"] - clicks["emitted_s"]).dropna().to_numpy(np.float64) * 1000
    came_ms = (packets["came_s"] - packets["sent_s"]).to_numpy(np.float64) * 1000
    return {
        "median_ms": float(np.median(heard_ms)) if len(heard_ms) else np.nan,
        "packet_ms": float(came_ms.min()) if len(came_ms) else np.nan,
    }
