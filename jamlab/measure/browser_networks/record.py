"""Records of browsers across the kernel's networks, one a case.

The files are those of a `BrowserRecord`, whose provenance has in addition ``number``, ``network``,
``delay_s``, ``route``, ``links``, ``added`` and ``no_netem``, as in
`jamlab.measure.across_networks.kernel_record`.
"""

from pathlib import Path
from typing import ClassVar

from jamlab.measure.across_networks.kernel_record import case_name
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.record import NUMBER, Keys, RecordError

RECORDS = "[0-9][0-9]/statistics.parquet"
"""Pattern of a file that each record of a run has, in a folder named by its number."""


class BrowserNetworkRecord(BrowserRecord):
    """One case: the latencies between browsers on a network."""

    KEYS: ClassVar[Keys] = {
        **BrowserRecord.KEYS,
        "number": int,
        "network": str | None,
        "delay_s": NUMBER,
        "route": str,
        "routes": dict,
        "links": dict,
        "added": dict,
        "no_netem": str | None,
    }
    WRITTEN_BY = "`jamlab verify --network kernel --player browser`"

    @property
    def name(self) -> str:
        """The name of the case for readers."""
        return case_name(self.provenance["network"], self.provenance["route"])


def is_browser_networks_run(folder: Path) -> bool:
    """Return whether a folder holds records of browsers across networks."""
    return any(folder.glob(RECORDS))


def load_browser_networks(folder: Path) -> dict[str, BrowserNetworkRecord]:
    """Read the records of a run by case, in the order of the run.

    Raises `RecordError` when there is none, or one cannot be read.
    """
    if not is_browser_networks_run(folder):
        raise RecordError(f"{folder} holds no run of browsers across networks: name one that does")
    found = [BrowserNetworkRecord.load(path.parent) for path in folder.glob(RECORDS)]
    found.sort(key=lambda record: record.provenance["number"])
    return {record.name: record for record in found}
