"""Sessions' ends in processes of their own call each other on loopback."""

import pytest

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity_on_kernel.end_server import EndServer
from jamlab.measure.connectivity_on_kernel.trickled_call import call_between
from jamlab.process.child import ChildError

HOST_ONLY = IceConfiguration("host only")


@pytest.fixture(scope="module")
def server():
    with EndServer() as server:
        yield server


async def test_two_connect_directly(server):
    caller = await server.open_session("caller", HOST_ONLY)
    callee = await server.open_session("callee", HOST_ONLY)
    try:
        call = await call_between(caller, callee, may_change=True, deadline_s=30)
        assert (call.result, call.caller_candidate, call.callee_candidate) == (
            "direct",
            "host",
            "host",
        )
        assert 0 < call.time_to_connect_s < 30
        for end in caller, callee:
            while (await end.call("counts"))[0] == 0:
                pass  # each question takes a moment
    finally:
        await caller.close()
        await callee.close()


async def test_a_description_that_cannot_be_used_is_an_error_with_the_reason(server):
    callee = await server.open_session("callee", HOST_ONLY)
    with pytest.raises(ChildError, match="offer from 'peer' cannot be used"):
        await callee.call("answer", {"type": "offer", "sdp": "v=0"})
    await callee.close()


async def test_one_can_be_closed_before_the_call(server):
    caller = await server.open_session("caller", HOST_ONLY)
    offer = await caller.call("offer")
    assert offer["type"] == "offer"
    await caller.close()
    with pytest.raises(ChildError):
        await caller.call("types")
