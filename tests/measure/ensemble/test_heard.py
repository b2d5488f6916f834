"""Tests of jamlab.measure.ensemble.heard."""

from dataclasses import replace

import pytest

from jamlab.measure.ensemble.heard import HeardAfter
from jamlab.mesh.figures import PeerFigures

FIGURES = PeerFigures(
    at_s=1.0,
    peer_id="ben",
    connection=1,
    frame_s=0.0025,
    capture_s=0.001,
    network_s=0.010,
    playout_s=0.003,
    card_s=0.0027,
    lookahead_s=0.0025,
    local_candidate="host",
    remote_candidate="host",
)


@pytest.fixture
def told():
    lines = []
    heard = HeardAfter(lines.append)

    def note(*figures):
        for each in figures:
            heard.note(each)
        return lines

    return note


def test_a_latency_is_told_once_it_is_known_and_only_once(told):
    assert told(replace(FIGURES, network_s=None)) == []
    (line,) = told(FIGURES, replace(FIGURES, network_s=0.05))
    assert line.startswith("ben is heard after about 21.7 ms: at the ensemble threshold, if the")
    assert "which has no interval" in line
    assert "Schuett 2002" in line


def test_a_new_connection_and_another_peer_are_told_too(told):
    lines = told(FIGURES, replace(FIGURES, connection=2), replace(FIGURES, peer_id="cleo"))
    assert [line.split()[0] for line in lines] == ["ben", "ben", "cleo"]
