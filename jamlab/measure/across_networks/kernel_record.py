"""Records of latency on the kernel's network: a mesh's, whose times are all of one clock.

What is kept is a `MeshRecord` with more in its provenance:

========== ============================================================================
number     its place in the run
network    name of the profile; None for cables that do nothing
delay_s    what the links on a packet's way delay it by, without jitter
route      which way packets are to go: direct or relayed
routes     what each player said of its path to each other
links      what the carrier of each link counted (`jamlab.networks.kernel.tun_link.LinkReport`)
added      what carrying adds (`jamlab.measure.across_networks.carrier_delay.AddedLatency`)
no_netem   why the kernel has no netem; None when it has (`jamlab.networks.kernel.tun`)
========== ============================================================================

Nobody's clock differs from anybody's, so the time from emitted to heard is the latency. What two
clocks that nobody knows would have said of it is kept beside it: the truth has to lie within.
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
"""What a run's folder has of each of its records, in a folder that is called by its number."""


class KernelMeshRecord(MeshRecord):
    """What is kept of a case."""

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
    """One case: the latencies of a mesh whose members share a clock; stages are not known."""

    mesh: MeshRecord
    """What was measured."""

    @classmethod
    def of(cls, mesh: MeshRecord) -> Self:
        """Read a mesh's record by the clock that all share."""
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
        """What a reader calls the case."""
        return case_name(self.provenance["network"], self.provenance["route"])

    def save(self, folder: Path, beside: Contents | None = None) -> Path:
        """Write the mesh's record into a folder; returns the folder."""
        return self.mesh.save(folder, beside)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a record; raises `RecordError` as `MeshRecord.load`."""
        return cls.of(KernelMeshRecord.load(folder))


def case_name(profile: str | None, route: str) -> str:
    """Return what a reader calls a case."""
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
    """Return the streams' counts; of blocks the mesh's record has the share that was late."""
    return streams.assign(
        session=0,
        measurement=ONE_WAY,
        echoing="",
        card_blocks=1.0,
        card_underruns=streams["receiver"].map(underrun_share),
    )


def load_runs(folder: Path) -> dict[str, LatencyRecord]:
    """Read the records of a run across networks, be it on the simulated internet or the kernel's.

    Raises
    ------
    jamlab.measure.record.RecordError
        When there is none, or one cannot be read.
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

    Raises
    ------
    jamlab.measure.record.RecordError
        When there is none, or one cannot be read.
    """
    if not is_kernel_run(folder):
        raise RecordError(f"{folder} holds no run on the kernel's network: name one that does")
    found = [KernelRecord.load(path.parent) for path in folder.glob(RECORDS)]
    found.sort(key=lambda record: record.provenance["number"])
    return {record.name: record for record in found}


def bounds_table(record: KernelRecord) -> pd.DataFrame:
    """Return a row per ordered pair: its latency beside what bounds it, in milliseconds.

    Returns
    -------
    DataFrame
        ``sender``, ``receiver``; ``median_ms``, by the shared clock; ``one_way_min_ms`` and
        ``one_way_max_ms``, within which two clocks that nobody knows would have put it
        (`jamlab.measure.live_mesh.pairs`); ``packet_ms``, the least time from a packet's last
        sample to its arrival; ``least_ms``, below which nothing can be: packet, look-ahead, the
        receiver's block and the delay of the links.
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
