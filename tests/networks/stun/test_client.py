"""Requests and answers of the client, on the simulated internet and on real sockets."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.stun.client import Retransmission, StunClient
from jamlab.networks.stun.server import StunServer
from tests.leaks import until
from tests.networks.caller import calling
from tests.networks.malformed import ANYTHING
from tests.networks.simulated.internets import wired
from tests.networks.turn import independent_client as c

RFC_8489_S = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
"""When a request is sent, by section 6.2.1's example; it is given up at 39.5 s."""


def simulated(test, dropped=lambda packet: False):
    """Run a test with a client's and a server's host, both on a wire that takes 10 ms."""

    async def main():
        (here, there), carried = wired(dropped=dropped)
        with here:
            return await test(here, there, carried)

    return run_simulated(main())


async def serve(host, answer):
    """Answer each datagram with what ``answer(data, source)`` yields."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            for reply in answer(data, addr):
                self.transport.sendto(reply, addr)

    with host:
        await asyncio.get_running_loop().create_datagram_endpoint(
            Server, local_addr=(host.addresses[0], 3478)
        )
    return host.addresses[0], 3478


def success(data, source, *more, tid=None):
    attributes = [(c.XOR_MAPPED_ADDRESS, c.xor_address(source)), *more]
    return c.message(c.BINDING, c.SUCCESS, attributes, tid=tid or data[8:20])


class TestRetransmission:
    def test_rfc_8489s_example(self):
        waits_s = [*Retransmission().waits_s()]
        assert [sum(waits_s[:sent]) for sent in range(7)] == RFC_8489_S
        assert Retransmission().total_s == 39.5

    @given(st.floats(0.01, 5), st.integers(1, 10), st.floats(0.5, 20))
    def test_waits_double_and_the_last_is_rm_times_the_first(self, rto_s, rc, rm):
        *doubling, last = Retransmission(rto_s, rc, rm).waits_s()
        assert doubling == [rto_s * 2**n for n in range(rc - 1)]
        assert last == rm * rto_s

    @pytest.mark.parametrize("values", [(0, 7, 16), (0.5, 0, 16), (0.5, 7, 0)])
    def test_values_without_sense(self, values):
        with pytest.raises(ValueError, match="sends nothing"):
            Retransmission(*values)


class TestAsk:
    def test_silence_is_asked_again_and_given_up(self):
        async def test(here, there, carried):
            loop = asyncio.get_running_loop()
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                request = client.request(port, (there.addresses[0], 3478))
                assert await client.ask(request) is None
            assert loop.time() == 39.5
            assert (request.first_sent_s, request.last_sent_s) == (0, 31.5)
            return [packet.payload for packet in carried]

        sent = simulated(test)
        assert len(sent) == len(RFC_8489_S)
        assert len(set(sent)) == 1  # with the same transaction ID

    @pytest.mark.parametrize("lost", range(7))
    def test_the_first_answer_counts(self, lost):
        arrived = []

        def dropped(packet):
            request = packet.destination[1] == 3478
            arrived.append(packet) if request else None
            return request and len(arrived) <= lost

        async def test(here, there, _):
            server = await serve(there, lambda data, source: [success(data, source)])
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                request = client.request(port, server)
                answer = await client.ask(request)
                assert answer.mapped == answer.local == port.address
                assert answer.source == server
                assert not answer.hairpinned
                assert answer.error is answer.other is None
                assert answer.round_trip_s == pytest.approx(RFC_8489_S[lost] + 0.02)

        simulated(test, dropped)

    def test_what_has_another_transaction_id_cannot_be_used(self):
        async def test(here, there, _):
            server = await serve(
                there, lambda data, source: [success(data, source, tid=c.transaction())]
            )
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                answer = await client.ask(client.request(port, server))
            assert answer.unusable == "a message with another transaction ID"
            assert answer.mapped is None
            assert asyncio.get_running_loop().time() == 39.5  # it may be anybody's

        simulated(test)

    def test_two_answers_that_cannot_be_used_are_enough(self):
        """A transmission may be lost, so each further one is waited for as usual."""

        async def test(here, there, carried):
            server = await serve(
                there, lambda data, source: [success(data, source, (0x7777, b"must"))]
            )
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                answer = await client.ask(client.request(port, server))
            assert "0x7777" in answer.unusable
            assert (answer.source, answer.local) == (server, port.address)
            assert asyncio.get_running_loop().time() == 1.5
            assert len(carried) == 4

        simulated(test)

    def test_a_late_answer_to_another_request_is_no_stranger(self):
        async def test(here, there, _):
            first = []

            def answer(data, source):
                first.append(data)
                yield success(first[0], source)

            server = await serve(there, answer)
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                assert (await client.ask(client.request(port, server))).mapped
                assert await client.ask(client.request(port, server)) is None

        simulated(test)

    @pytest.mark.parametrize(
        "bad",
        [
            lambda data, source: data,
            lambda data, source: data[:19],
            lambda data, source: success(data, source)[:-2],
            lambda data, source: success(data, source, (0x0030, b"mandatory, and unknown")),
            lambda data, source: c.message(c.BINDING, c.INDICATION, tid=data[8:20]),
            lambda data, source: c.message(c.ALLOCATE, c.SUCCESS, tid=data[8:20]),
        ],
        ids=["echo", "cut", "too short", "unknown attribute", "indication", "method"],
    )
    def test_what_is_no_answer_does_not_keep_the_answer_off(self, bad):
        async def test(here, there, _):
            server = await serve(
                there, lambda data, source: [bad(data, source), success(data, source)]
            )
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                answer = await client.ask(client.request(port, server))
                assert answer.mapped == port.address

        simulated(test)

    @given(st.lists(ANYTHING, max_size=5))
    def test_garbage(self, garbage):
        async def test(here, there, _):
            server = await serve(there, lambda data, source: [*garbage, success(data, source)])
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                answer = await client.ask(client.request(port, server))
                assert answer.mapped == port.address

        simulated(test)

    def test_an_answer_that_comes_twice_or_late(self):
        async def test(here, there, _):
            answers = []

            def answer(data, source):
                answers.append(success(data, source))
                return [success(data, source, (c.ERROR_CODE, b"\0\0\4\0")), answers[-1]]

            client = StunClient(here.addresses[0])
            server = await serve(there, answer)
            async with client.port() as port:
                request = client.request(port, server)
                for _ in range(3):
                    request.send()
                first = await request.answer
                await asyncio.sleep(1)
                assert request.answer.result() is first
            assert len(answers) == 3

        simulated(test)


class TestRequest:
    def test_attributes(self):
        async def test(here, there, carried):
            client = StunClient(here.addresses[0])
            async with client.port() as port:
                server = there.addresses[0], 3478
                client.request(port, server).send()
                client.request(port, server, change=6).send()
                client.request(port, server, response_port=0x1234).send()
            return [c.read(packet.payload) for packet in carried]

        plain, change, response_port = simulated(test)
        assert plain.attributes == {}
        assert change.attributes == {c.CHANGE_REQUEST: bytes([0, 0, 0, 6])}
        assert response_port.attributes == {c.RESPONSE_PORT: b"\x12\x34\0\0"}
        assert len({message.tid for message in (plain, change, response_port)}) == 3
        assert {message.class_ for message in (plain, change, response_port)} == {c.REQUEST}

    def test_answered_at_another_port(self):
        async def test(here, there, _):
            with there:
                server = await StunServer(there.addresses).__aenter__()
            client = StunClient(here.addresses[0])
            async with client.port() as one, client.port() as two:
                port = two.address[1]
                request = client.request(one, server.addresses[0], response_port=port)
                answer = await client.ask(request)
                assert answer.local == two.address
                assert answer.mapped == one.address

        simulated(test)

    def test_that_comes_back_itself(self):
        async def test(here, _there, _):
            client = StunClient(here.addresses[0])
            async with client.port() as one, client.port() as two:
                answer = await client.ask(client.request(one, two.address))
                assert answer.hairpinned
                assert (answer.source, answer.local) == (one.address, two.address)

        simulated(test)


@pytest.mark.usefixtures("nothing_left")
class TestRealSockets:
    async def test_asks(self):
        async with StunServer(port=0) as server:
            client = StunClient("127.0.0.1")
            async with client.port() as port:
                answer = await client.ask(client.request(port, server.addresses[0]))
                assert answer.mapped == port.address
                assert answer.source == server.addresses[0]

    async def test_what_the_system_refuses_to_send_is_kept(self):
        """Nothing can be sent to port 0."""
        client = StunClient("127.0.0.1")
        async with client.port() as port:
            client.request(port, ("127.0.0.1", 0)).send()
            await until(lambda: port.error is not None)
            assert client.unsendable == 1
            assert isinstance(port.error, OSError)

    async def test_cancelled(self):
        async with calling() as nobody:
            client = StunClient("127.0.0.1")

            async def ask():
                async with client.port() as port:
                    await client.ask(client.request(port, nobody.address))

            task = asyncio.create_task(ask())
            await nobody.receive()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def test_an_address_of_nobodys(self):
        with pytest.raises(OSError, match=r"at 192\.0\.2\.1:0 .*: choose an address"):
            await StunClient("192.0.2.1").port().__aenter__()
