from jamlab.measure.dump.example import example_dump


def test_it_is_a_call_that_both_ends_heard():
    dump = example_dump()
    assert dump.connections["connected"].all()
    assert set(dump.audio["direction"]) == {"inbound", "outbound"}
    assert dump.stages.groupby(["connection", "stream"]).size().min() > 72
    assert dump.start.year >= 2026
