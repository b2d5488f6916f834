"""A member that floods, churns, lies and sends rubbish: the musicians do not notice."""

import pytest

from tests.mesh.hostile import hostile


@pytest.mark.slow
def test_a_hostile_member_costs_no_sound_no_name_and_no_connection(caplog):
    complaints, done = hostile(1, for_s=15.0, settle_s=60.0)  # `make bench-session` takes an hour
    assert complaints.pop("memory_bytes") < 64e6
    assert complaints.pop("concealed") <= 0.005
    assert {what: number for what, number in complaints.items() if number > 0} == {}
    for what in "offer", "answer", "ice-candidate", "report", "joins", "datagrams", "calls":
        assert done[what] > 0, f"nothing of the kind: {what}"
    assert done["names refused"] > 0
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
