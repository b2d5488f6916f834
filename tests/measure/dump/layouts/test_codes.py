"""The numbers of rtcstats' format, against those of an independent list."""

from jamlab.measure.dump.layouts.codes import METHODS, PROPERTIES, TYPES
from jamlab.measure.dump.layouts.trace import WANTED
from tests.measure.dump import calls

OBSOLETE = {"mediaType", "selected"}
"""Names without a number, of browsers before rtcstats had numbers."""


def test_properties_and_types_are_those_of_the_format():
    for name, number in calls.NUMBERS.items():
        assert PROPERTIES[str(number)] == name
    assert {name: TYPES[number] for name, number in calls.TYPES.items()} == {
        name: name for name in calls.TYPES
    }


def test_methods_are_those_of_the_format():
    for name, number in calls.METHODS.items():
        assert METHODS[number] == name
    assert METHODS["g"] == METHODS[1] == "getStats"
    assert METHODS[16] == "addIceCandidateOnFailure"
    assert METHODS[28] == "ondatachannel"
    assert METHODS[34] == "removeTrack"
    assert METHODS[42] == "setHeaderExtensionsToNegotiate"
    assert METHODS[65] == "getUserMediaOnFailure"
    assert METHODS[68] == "getDisplayMediaOnFailure"
    assert METHODS[74] == "MediaStreamTrack.onunmute"
    assert 62 not in METHODS


def test_every_property_that_is_read_has_its_number():
    read = set(" ".join(WANTED.values()).split())
    assert read - set(PROPERTIES.values()) == OBSOLETE
