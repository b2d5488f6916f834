import numpy as np

from jamlab.measure.dump.counters import at, changed, gained, mean_ms, ratio

NAN = np.nan


def array(*values):
    return np.array(values, np.float64)


def test_a_counter_that_falls_was_reset():
    np.testing.assert_array_equal(gained(array(1, 3, 2, 5)), [NAN, 2, NAN, 3])
    np.testing.assert_array_equal(changed(array(1, 3, 2)), [NAN, 2, -1])


def test_a_mean_is_of_what_was_counted_in_the_interval():
    total_s, count = array(1.0, 1.5, 1.5, 2.5), array(10, 20, 20, 30)
    np.testing.assert_allclose(mean_ms(total_s, count), [NAN, 50, NAN, 100])


def test_a_share_of_nothing_is_unknown():
    np.testing.assert_array_equal(ratio(array(1, 1, 1), array(4, 0, NAN)), [0.25, NAN, NAN])


def test_the_latest_value_counts_until_it_is_old():
    own, values = array(1, 2, 3), array(10, NAN, 30)
    found = at(array(0.5, 1, 2.5, 3.0005, 13, 14), own, values)
    np.testing.assert_array_equal(found, [NAN, 10, 10, 30, 30, NAN])


def test_of_nothing_nothing_is_known():
    np.testing.assert_array_equal(at(array(1, 2), array(), array()), [NAN, NAN])
