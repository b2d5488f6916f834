"""The example record: a latency run of two participants, which ships with jamlab."""

from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.record import PROVENANCE
from jamlab.resources import data_path


def example_record() -> LatencyRecord:
    """Return the latency record that ships with jamlab.

    It is a real run of `LatencyPlan()`, so tables and figures can be tried without measuring
    first. ``data/README.md`` has the command that made it.

    Examples
    --------
    >>> record = example_record()
    >>> record.provenance["parameters"]["peers"]
    2
    >>> sorted(set(record.clicks["measurement"]))
    ['one way', 'round trip']
    """
    return LatencyRecord.load(data_path(f"example/{PROVENANCE}").parent)
