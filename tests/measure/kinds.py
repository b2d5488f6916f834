"""A record of every kind, made of chosen figures."""

from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.across_networks.kernel_record import KernelRecord
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser_networks.record import BrowserNetworkRecord
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.connectivity_on_kernel.agreement_record import AgreementRecord
from jamlab.measure.connectivity_on_kernel.browser_agreement import BrowserAgreementRecord
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.live_mesh.record import MeshRecord
from jamlab.measure.playout.record import PlayoutRecord
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.rig.record import RigRecord
from jamlab.measure.session_connectivity.record import SessionRecord
from jamlab.measure.sound_card.record import CardRecord
from jamlab.measure.sound_quality.record import SoundQualityRecord
from tests.measure.acceptance.runs import whole_record
from tests.measure.across_networks.kernel_records import kernel_record
from tests.measure.browser.records import browser_record, steady
from tests.measure.browser_networks.records import network_record
from tests.measure.connectivity.attempts import campaign
from tests.measure.connectivity_on_kernel.agreements import FEW, agreement, browser_agreement
from tests.measure.latency.records import record_of
from tests.measure.live_mesh.reports import even_mesh
from tests.measure.playout.records import playout_record
from tests.measure.recording.records import recording_record
from tests.measure.rig.records import rig_record
from tests.measure.session_connectivity import meetings
from tests.measure.sound_card.records import card_record
from tests.measure.sound_quality.records import quality_record


def latency():
    return record_of(lambda a, b: [11.0, float("nan")] * 10, lambda a, b: [24.0] * 20)


KINDS = {
    LatencyRecord: latency,
    CardRecord: lambda: card_record({64: 300.0}),
    MeshRecord: lambda: even_mesh(("ada", "ben")).record(),
    KernelRecord: lambda: kernel_record(clicks=8),
    ConnectivityRecord: lambda: campaign(calls=5),
    SessionRecord: lambda: meetings.campaign(calls=5),
    AgreementRecord: lambda: agreement(FEW[:2]),
    BrowserRecord: lambda: browser_record(steady(30.0), clicks=5),
    PlayoutRecord: playout_record,
    RigRecord: lambda: rig_record(steady(30.0), clicks=5),
    BrowserNetworkRecord: network_record,
    BrowserAgreementRecord: lambda: browser_agreement(FEW[:2]),
    RecordingRecord: recording_record,
    SoundQualityRecord: lambda: quality_record({120: [(9.0, 4.9)]}),
    AcceptanceRecord: lambda: whole_record(["local-capture"]),
}
"""How to make one of each."""
