"""Requests of discovery: rounds and controls, waits and their bounds, and the TCP check."""

import asyncio
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from jamlab.networks.discovery import questions
from jamlab.networks.discovery.questions import Inquiry, fault_over
from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.stun.client import StunClient
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.fault import Fault
from jamlab.networks.turn.server import TurnServer
from tests.networks.caller import LOCALHOST
from tests.networks.simulated.internets import port, wired
from tests.networks.turn import independent_client as c

TRIP_S = 0.02
"""There and back on the wire of these tests."""


def inquired(test, *, dropped=lambda packet: False):
    """Run ``test(inquiry)`` on one host, with a server on another, on a wire of 10 ms."""

    async def main():
        (here, there), _ = wired(dropped=dropped)
        with there:
            server = await StunServer(there.addresses).__aenter__()
        with here:
            return await test(Inquiry(StunClient(here.addresses[0]), server.addresses[0]))

    return run_simulated(main())


def wakes(packet):
    """Whether it asks for an answer at another port."""
    return packet.destination[1] == 3478 and c.RESPONSE_PORT in c.read(packet.payload).attributes


class TestClosedAfter:
    @given(st.floats(0, 1e4))
    def test_what_is_open(self, wait_s):
        told = inquired(lambda inquiry: inquiry.closed_after(wait_s))
        assert told == (math.inf, "")

    @given(st.floats(0, 1e4))
    def test_what_is_closed_is_so_for_certain_after_the_last_of_eight(self, wait_s):
        """The first of eight is sent after two answers, the others 0.1 s apart; one more trip."""
        told = inquired(lambda inquiry: inquiry.closed_after(wait_s), dropped=wakes)
        assert told.value == pytest.approx(wait_s + 2 * TRIP_S + 7 * 0.1 + TRIP_S)

    def test_the_clock_runs_from_the_first_packet_that_may_have_opened_it(self):
        """If the first request was answered too late, or not, nobody knows which one did."""
        seen = []

        def dropped(packet):
            seen.append(packet)
            return len(seen) == 1 or wakes(packet)

        told = inquired(lambda inquiry: inquiry.closed_after(10), dropped=dropped)
        assert told.value == pytest.approx(0.5 + 10 + 2 * TRIP_S + 7 * 0.1 + TRIP_S)

    def test_silence_all_round_tells_nothing(self):
        told = inquired(lambda inquiry: inquiry.closed_after(1), dropped=lambda packet: True)
        assert told.value is None
        assert "stopped answering" in told.reason

    @pytest.mark.parametrize(("controls", "loss"), [(1, 0.2), (1, 0.4), (2, 0.4)])
    def test_the_chance_that_loss_closes_it(self, controls, loss, monkeypatch):
        """It is (p/(1 + p))^controls, as `discovery_core` has it; eight make it too rare to see."""
        monkeypatch.setattr(questions, "CONTROLS", controls)
        closed = opened = 0
        for seed in range(500):
            draw = random.Random(seed).random
            told = inquired(
                lambda inquiry: inquiry.closed_after(1),
                dropped=lambda packet, draw=draw: draw() < loss,
            )
            opened += told.value == math.inf
            closed += told.value is not None and told.value < math.inf
        assert opened + closed > 300  # the others end before that
        p = 1 - (1 - loss) ** 2
        expected = (p / (1 + p)) ** controls
        assert binomtest(closed, opened + closed, expected).pvalue > 0.01  # the seeds are fixed


class TestRounds:
    def test_an_answer_ends_them(self):
        async def test(inquiry):
            loop = asyncio.get_running_loop()
            heard, sure = await inquiry.turned_back()
            assert heard
            assert not sure  # nobody waited for that
            assert loop.time() < 2 * TRIP_S + 0.1

        inquired(test)

    @given(st.integers(0, 7), st.integers(0, 3))
    def test_silence_counts_from_the_eighth_control_on(self, lost, seed):
        """As many more rounds as controls were lost."""
        sent = []

        def dropped(packet):
            if packet.destination[1] == 3478:
                sent.append(packet)
                return 2 < len(sent) <= 2 + lost
            return packet.source[1] != 3478  # what goes from port to port

        async def test(inquiry):
            heard, sure = await inquiry.turned_back()
            assert (heard, sure) == (False, True)
            assert len(sent) == 2 + lost + 8

        inquired(test, dropped=dropped)

    def test_they_end(self):
        sent = []

        def dropped(packet):
            sent.append(packet)
            return len(sent) > 4

        async def test(inquiry):
            heard, sure = await inquiry.turned_back()
            assert (heard, sure) == (False, False)
            assert asyncio.get_running_loop().time() == pytest.approx(10 + 2 * TRIP_S)

        inquired(test, dropped=dropped)

    def test_fresh_ports_are_noted(self):
        async def test(inquiry):
            await inquiry.turned_back()
            await inquiry.answers_from_elsewhere()
            assert len(inquiry.fresh) == 3
            assert all(local == mapped for local, mapped in inquiry.fresh)

        inquired(test)


class TestFaultOver:
    @pytest.mark.usefixtures("nothing_left")
    @pytest.mark.parametrize("transport", [UDP, TCP])
    async def test_a_server_that_answers(self, transport):
        async with TurnServer(LOCALHOST, 0, users={}, rng=random.Random(1)) as server:
            assert await fault_over(transport, server.address) is None

    @pytest.mark.usefixtures("nothing_left")
    @pytest.mark.parametrize(
        ("answer", "fault"),
        [
            (b"", Fault.CLOSED),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", Fault.NOT_STUN),
            (bytes(20), Fault.NOT_STUN),
            (b"\x01\x01\xff\xff" + bytes(40), Fault.NOT_STUN),
            (c.message(c.BINDING, c.SUCCESS), Fault.UNUSABLE),
        ],
        ids=["nothing", "HTTP", "zeros", "cut", "another's"],
    )
    async def test_one_that_answers_something_else(self, answer, fault, monkeypatch):
        monkeypatch.setattr(questions, "ONCE_MORE_S", 1.0)

        class Other(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport

            def data_received(self, data):
                self.transport.write(answer)
                if fault is Fault.CLOSED:
                    self.transport.close()

        server = await asyncio.get_running_loop().create_server(Other, LOCALHOST, 0)
        async with server:
            found = await fault_over(TCP, server.sockets[0].getsockname())
        assert found.fault is fault

    def test_an_error_is_an_answer(self):
        async def main():
            (here, there), _ = wired()
            error = c.ERROR_CODE, b"\0\0\4\1"

            def answer(data):
                return c.message(c.BINDING, c.ERROR, [error], tid=data[8:20])

            await port(there, 3478, answer)
            with here:
                assert await fault_over(UDP, (there.addresses[0], 3478)) is None

        run_simulated(main())

    @pytest.mark.usefixtures("nothing_left")
    @pytest.mark.parametrize("transport", [UDP, TCP])
    async def test_nobody(self, transport):
        async with TurnServer(LOCALHOST, 0, users={}, rng=random.Random(1)) as server:
            address = server.address
        assert (await fault_over(transport, address, LOCALHOST)).fault is Fault.REFUSED

    def test_one_that_says_nothing(self):
        async def main():
            (here, there), _ = wired()
            loop = asyncio.get_running_loop()
            with there:
                await loop.create_server(asyncio.Protocol, there.addresses[0], 3478)
            with here:
                found = await fault_over(TCP, (there.addresses[0], 3478))
            assert found.fault is Fault.SILENT
            assert loop.time() == pytest.approx(5, abs=0.1)

        run_simulated(main())
