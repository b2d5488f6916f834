import pytest

from jamlab.measure.dump.layouts.names import event_kind, state


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("iceConnectionStateChange", "iceconnectionstatechange"),
        ("iceconnectionstatechange", "iceconnectionstatechange"),
        ("oniceconnectionstatechange", "iceconnectionstatechange"),
        ("onIceCandidate", "icecandidate"),
        ("onRenegotiationNeeded", "negotiationneeded"),
        ("iceconnectionstatechange (legacy)", "iceconnectionstatechange (legacy)"),
        ("createOfferOnSuccess", "createOfferOnSuccess"),
        ("ondevicechange", "ondevicechange"),
    ],
)
def test_an_event_has_one_name(name, kind):
    assert event_kind(name) == kind


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("connected", "connected"),
        ('"connected"', "connected"),
        ("ICEConnectionStateConnected", "connected"),
        ("SignalingStateHaveLocalOffer", "have-local-offer"),
        ("have-remote-pranswer", "have-remote-pranswer"),
        ("IceGatheringStateComplete", "complete"),
        ("İ", "i̇"),
        ("", ""),
    ],
)
def test_a_state_has_one_name(written, name):
    assert state(written) == name
