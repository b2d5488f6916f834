"""Streams over simulated links, with reordering by jitter."""

import asyncio
import errno
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.packet import TCP, Packet
from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.host import current_host
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.stream import CONNECT_TIMEOUT_S
from tests.examples import examples
from tests.networks.simulated.internets import internet, wired

PORT = 4000


class End(asyncio.Protocol):
    """Notes what happens to one end; `greeting` is sent, and perhaps the end, when it opens."""

    def __init__(self, greeting=b"", close=False, fail=False):
        self.events, self.data = [], b""
        self.greeting, self.closing, self.fail = greeting, close, fail

    def connection_made(self, transport):
        self.transport = transport
        self.events.append("made")
        transport.write(self.greeting)
        if self.closing:
            transport.close()

    def data_received(self, data):
        assert self.events == ["made"]
        self.data += data
        self.where = current_host().name
        if self.fail:
            raise KeyError("in the protocol")

    def connection_lost(self, exc):
        self.events.append("lost" if exc is None else type(exc).__name__)


async def serve(host, number=PORT, **options):
    """Listen on a host; returns the server and the ends it accepted."""
    ends = []

    def accept():
        ends.append(End(**options))
        return ends[-1]

    with host:
        server = await asyncio.get_running_loop().create_server(accept, host.addresses[0], number)
    return server, ends


async def call(host, name="h2", number=PORT, **options):
    with host:
        loop = asyncio.get_running_loop()
        _, end = await loop.create_connection(lambda: End(**options), name, number)
    return end


def is_free(host, number=PORT):
    try:
        host.free_address(TCP, (host.addresses[0], number))
    except OSError:
        return False
    return True


def cut(data, sizes):
    position = 0
    for size in itertools.chain(sizes, [len(data)]):
        yield data[position : position + size]
        position += size


@examples(60)
@given(
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.lists(st.integers(0, 40), max_size=12),
    st.floats(0, 0.5),
    st.integers(0, 1000),
    st.booleans(),
)
def test_writes_arrive_whole_and_in_order(up, down, sizes, jitter_s, seed, slowly):
    """Also what the other end writes before its word that it is open arrives, and then the end."""

    async def main():
        (a, b), _ = wired(seed=seed, jitter_s=jitter_s)
        _, accepted = await serve(b, greeting=down)
        end = await call(a)
        for piece in cut(up, sizes):
            end.transport.write(piece)
            await asyncio.sleep(0.01 * slowly)
        await asyncio.sleep(5)
        end.transport.close()
        await asyncio.sleep(5)
        assert (accepted[0].data, end.data) == (up, down)
        assert accepted[0].events == end.events == ["made", "lost"]
        assert is_free(a, end.transport.local[1])

    run_simulated(main())


@examples(60)
@given(st.binary(max_size=200), st.lists(st.integers(0, 40), max_size=9), st.integers(0, 999))
def test_what_was_written_before_closing_arrives_whatever_the_other_end_sends(data, sizes, seed):
    """The other end's data meets a closed end, whose reset might overtake what is under way."""

    async def main():
        (a, b), _ = wired(seed=seed, jitter_s=0.5)
        server, accepted = await serve(b, greeting=b"nobody reads this")
        end = await call(a)
        for piece in cut(data, sizes):
            end.transport.write(piece)
        end.transport.close()
        accepted[0].transport.write(b"nor this")
        await asyncio.sleep(5)
        assert accepted[0].data == data
        assert accepted[0].events == end.events == ["made", "lost"]
        server.close()
        assert is_free(a, end.transport.local[1])
        assert is_free(b)

    run_simulated(main())


@pytest.mark.parametrize("closers", ["client", "server", "both"])
@pytest.mark.parametrize("jitter_s", [0.0, 0.5])
def test_either_end_may_close(closers, jitter_s):
    async def main():
        (a, b), _ = wired(jitter_s=jitter_s)
        server, accepted = await serve(b)
        end = await call(a)
        await asyncio.sleep(1)
        if closers != "server":
            end.transport.close()
        if closers != "client":
            accepted[0].transport.abort()
        await asyncio.sleep(5)
        assert end.events == accepted[0].events == ["made", "lost"]
        assert end.transport.is_closing()
        end.transport.write(b"too late")
        end.transport.close()
        server.close()
        assert is_free(b)
        assert is_free(a, end.transport.local[1])

    run_simulated(main())


def test_a_server_that_says_goodbye_at_once_is_heard():
    async def main():
        (a, b), _ = wired(seed=3, jitter_s=1.0)
        await serve(b, greeting=b"goodbye", close=True)
        ends = [await call(a) for _ in range(20)]
        await asyncio.sleep(5)
        assert {end.data for end in ends} == {b"goodbye"}
        assert all(end.events == ["made", "lost"] for end in ends)

    run_simulated(main())


# Getting there


@pytest.mark.parametrize("listening", [False, True])
def test_a_port_nobody_listens_at_refuses_at_once(listening):
    async def main():
        (a, b), _ = wired(delay_s=0.01)
        server, _ = await serve(b)
        await call(a)  # keeps the port of the closed server
        if not listening:
            server.close()
        assert server.is_serving() is listening
        with pytest.raises(ConnectionRefusedError) as error:
            await call(a, number=PORT + listening)
        assert error.value.errno == errno.ECONNREFUSED
        assert asyncio.get_running_loop().time() == pytest.approx(0.04)
        assert b.unclaimed == listening

    run_simulated(main())


def test_a_first_segment_lost_in_a_filter_is_a_timeout():
    async def main():
        (a, b), _ = wired(dropped=lambda packet: packet.destination[1] == PORT)
        await serve(b)
        with pytest.raises(OSError, match=r"no answer from 10\.0\.0\.2:4000") as error:
            await call(a)
        assert error.value.errno == errno.ETIMEDOUT
        assert asyncio.get_running_loop().time() == CONNECT_TIMEOUT_S
        assert a.free_address(TCP)[1]
        assert not a._sockets

    run_simulated(main())


def test_giving_up_meanwhile_leaves_nothing_on_either_end():
    async def main():
        (a, b), _ = wired(delay_s=1.0)
        server, accepted = await serve(b)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await call(a)
        assert accepted[0].events == ["made"]
        await asyncio.sleep(5)
        assert accepted[0].events == ["made", "ConnectionResetError"]
        server.close()
        assert not a._sockets
        assert not b._sockets

    run_simulated(main())


@pytest.mark.parametrize("cancelled_at_s", [0.0, 0.5, 1.5, 2.0])
def test_being_cancelled_at_any_time_leaves_nothing(cancelled_at_s):
    async def main():
        (a, b), _ = wired(delay_s=1.0)
        server, accepted = await serve(b)
        task = asyncio.create_task(call(a))
        await asyncio.sleep(cancelled_at_s)
        task.cancel()
        await asyncio.sleep(9)
        assert task.cancelled()
        assert all(end.events[-1] != "made" for end in accepted)
        server.close()
        assert not a._sockets
        assert not b._sockets

    run_simulated(main())


def test_a_server_is_found_by_its_name_and_told_apart_by_its_clients():
    async def main():
        (a, b, c), _ = wired(3)
        server, accepted = await serve(b, 0)
        number = server.sockets[0].getsockname()[1]
        ends = [await call(host, "h2", number) for host in (a, a, c)]
        for index, end in enumerate(ends):
            end.transport.write(bytes([index]))
        await asyncio.sleep(1)
        assert [end.data for end in accepted] == [b"\0", b"\1", b"\2"]
        assert [one.transport.remote for one in accepted] == [one.transport.local for one in ends]
        assert {end.where for end in accepted} == {"h2"}

    run_simulated(main())


# Servers and errors


def test_open_streams_outlive_their_server():
    async def main():
        (a, b), _ = wired()
        server, accepted = await serve(b)
        end = await call(a)
        server.close()
        await server.wait_closed()
        end.transport.write(b"still here")
        await asyncio.sleep(1)
        assert accepted[0].data == b"still here"
        with pytest.raises(OSError, match="in use"):
            await serve(b)
        end.transport.close()
        await asyncio.sleep(1)
        await serve(b)

    run_simulated(main())


def test_a_stream_the_other_end_knows_nothing_of_is_reset():
    async def main():
        (a, b), _ = wired()
        _, accepted = await serve(b)
        end = await call(a)
        b.receive(Packet(end.transport.local, ("10.0.0.2", 77), b"\2" + bytes(8), TCP))
        accepted[0].transport._forget(accepted[0].transport)  # as if the machine had restarted
        end.transport.write(b"x")
        await asyncio.sleep(1)
        assert end.events == ["made", "ConnectionResetError"]
        assert not a._sockets

    run_simulated(main())


def test_a_protocol_that_fails_loses_its_stream(caplog):
    async def main():
        (a, b), _ = wired()
        _, accepted = await serve(b, fail=True)
        end = await call(a)
        end.transport.write(b"1")
        end.transport.write(b"2")
        await asyncio.sleep(1)
        assert accepted[0].data == b"1"
        assert end.events == accepted[0].events == ["made", "lost"]

    run_simulated(main())
    assert "in the protocol" in caplog.text


@pytest.mark.parametrize("jitter_s", [0.0, 0.3])
def test_segments_that_come_twice_count_once(jitter_s):
    async def main():
        (a, b), _ = wired(jitter_s=jitter_s)
        for host in (a, b):
            host.send = lambda packet, send=host.send: (send(packet), send(packet))
        _, accepted = await serve(b, greeting=b"welcome")
        end = await call(a)
        end.transport.writelines([b"one ", b"two ", b"three"])
        await asyncio.sleep(2)
        assert (len(accepted), accepted[0].data, end.data) == (1, b"one two three", b"welcome")

    run_simulated(main())


@examples(40)
@given(st.binary(max_size=300), st.lists(st.integers(0, 40), max_size=12), st.integers(0, 99))
def test_links_of_all_vices_harm_no_stream(data, sizes, seed):
    vices = {"loss": 0.3, "burst_packets": 3, "reordering": 0.3, "duplication": 0.3}

    async def main():
        link = LinkConfig(delay_s=0.02, jitter_s=0.02, rate_bit_s=1e5, queue_s=0.01, **vices)
        net = internet(HostConfig("h1", link), HostConfig("h2", link))
        _, accepted = await serve(net.host("h2"), greeting=data)
        end = await call(net.host("h1"))
        for piece in cut(data, sizes):
            end.transport.write(piece)
        await asyncio.sleep(5)
        end.transport.close()
        await asyncio.sleep(5)
        assert (len(accepted), accepted[0].data, end.data) == (1, data, data)
        assert end.events == accepted[0].events == ["made", "lost"]

    run_simulated(main(), seed=seed)


def test_asyncios_own_streams_work_on_it():
    async def main():
        (a, b), _ = wired(jitter_s=0.1)

        async def echo(reader, writer):
            writer.write((await reader.readline()).upper())
            writer.close()

        with b:
            server = await asyncio.start_server(echo, "h2", 7)
        with a:
            reader, writer = await asyncio.open_connection("h2", 7)
        writer.write(b"hello\n")
        await writer.drain()
        assert await reader.read() == b"HELLO\n"
        writer.close()
        await writer.wait_closed()
        server.close()
        await asyncio.sleep(1)
        assert not a._sockets
        assert not b._sockets

    run_simulated(main())
