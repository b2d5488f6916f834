import numpy as np

from jamlab.measure.dump.layouts.trace import PeerTrace, in_order, wanted


def test_samples_are_in_order_and_without_unknown_times():
    series = in_order("codec", [3.0, np.nan, 1.0], {"jitter": ["c", "x", 1]})
    assert list(series.at_s) == [1.0, 3.0]
    assert series.columns["jitter"] == [1, "c"]


def test_numbers_and_texts_of_what_is_there():
    series = in_order("codec", [1.0, 2.0, 3.0], {"a": [1, "two", None]})
    np.testing.assert_array_equal(series.numbers("a"), [1, np.nan, np.nan])
    np.testing.assert_array_equal(series.numbers("b"), [np.nan] * 3)
    assert series.texts("a") == ["1", "two", ""]
    assert series.last("a") == "two"
    assert series.last("b") == ""


def test_statistics_are_found_by_type():
    codec, pair = in_order("codec", [], {}), in_order("candidate-pair", [], {})
    assert PeerTrace("PC_0", series={"a": codec, "b": pair}).of("codec") == {"a": codec}


def test_what_is_wanted_is_known_by_type():
    assert "jitterBufferDelay" in wanted("inbound-rtp")
    assert not wanted("certificate")
