import logging

import numpy as np

from jamlab.audio.guard import FaultLog, guarded
from jamlab.audio.pcm import silence


def raising(error):
    def callback(captured):
        raise error

    return callback


def test_what_a_callback_returns_is_played():
    block = silence(8) + 1
    assert guarded(lambda captured: captured)(block) is block


def test_what_it_raises_is_silence_of_the_same_length(caplog):
    played = guarded(raising(KeyError("who")))(silence(8) + 1)
    assert played.shape == (8, 2)
    assert not played.any()
    assert "the card plays silence" in caplog.text
    assert "KeyError: 'who'" in caplog.text


def test_a_block_of_another_shape_is_a_fault(caplog):
    played = guarded(lambda captured: np.ones((7, 2), np.float32))(silence(8))
    assert played.shape == (8, 2)
    assert "asked for (8, 2), got (7, 2)" in caplog.text


def test_each_kind_is_reported_once_and_there_is_an_end_to_kinds(caplog):
    faults = FaultLog()
    with caplog.at_level(logging.ERROR):
        for _ in range(1000):
            faults.note("this fails", KeyError())
            faults.note("this fails", ValueError())
            faults.note("that fails", ValueError())
        assert len(caplog.records) == 3
        for number in range(1000):
            faults.note(f"{number} fails", ValueError())
    assert len(caplog.records) < 100
