"""Peers that end their stream, vanish or return, and closing at any moment."""

import asyncio
import re
import subprocess
import sys
import textwrap

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket
from aiortc.sdp import SessionDescription

from jamlab.media.encoder import EncodedFrame
from jamlab.mesh.connection.events import ConnectionState, RemoteStreamAdded, RemoteStreamEnded
from jamlab.mesh.connection.peer import MOST_SSRCS
from tests.leaks import until
from tests.media.queued_track import QueuedTrack
from tests.mesh.jam import connect, cut_off, ends, plays_on, signal, turns

pytestmark = pytest.mark.usefixtures("nothing_left")

CONNECTING, CONNECTED, DISCONNECTED, FAILED, CLOSED = (
    ConnectionState.CONNECTING,
    ConnectionState.CONNECTED,
    ConnectionState.DISCONNECTED,
    ConnectionState.FAILED,
    ConnectionState.CLOSED,
)
OPUS_SILENCE = b"\xfc\xff\xfe"


class Stranger:
    """A peer that is no jamlab: plain aiortc, which the test drives."""

    def __init__(self, direction="sendrecv"):
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.track = QueuedTrack()
        self.sender = self.connection.addTransceiver(self.track, direction).sender

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        await self.connection.close()

    async def offer_to(self, end, change=lambda sdp: sdp):
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.connection.localDescription
        answer = await end.service.handle_offer(
            "stranger", {"type": "offer", "sdp": change(offer.sdp)}
        )
        await self.connection.setRemoteDescription(RTCSessionDescription(**answer))

    async def speak(self, end):
        """Send frames until one is received."""
        position = 0

        def is_heard():
            nonlocal position
            self.track.send(EncodedFrame(OPUS_SILENCE, position))
            position += 960
            return end.service.playout("stranger").counters.received > 0

        await until(lambda: self.connection.connectionState == "connected")
        await until(is_heard)


@pytest.mark.slow
async def test_a_peer_of_whom_nothing_arrives_is_disconnected_until_something_does():
    async with ends("ada", "ben", "cleo", flow_timeout_s=0.4) as (ada, ben, cleo):
        await connect(ada, ben, cleo)
        with cut_off(ada, "ben"):
            await until(lambda: ada.state("ben") is DISCONNECTED)
            assert ada.states[-1].reason == "no packet for 0.4 s"
            assert ben.state("ada") is cleo.state("ben") is CONNECTED
            await plays_on(ada, "cleo")
        await until(lambda: ada.state("ben") is CONNECTED)
        await plays_on(ada, "ben")
    assert ada.path("ben")[:4] == [CONNECTING, CONNECTED, DISCONNECTED, CONNECTED]
    assert ada.ice_path("ben")[:4] == ["checking", "completed", "disconnected", "connected"]
    assert ada.ice_path("ben")[-1] == "closed"
    changes = [change for change in ada.ice_states if change.peer_id == "ben"]
    assert [change.previous for change in changes] == ["new", *ada.ice_path("ben")[:-1]]
    times_s = [change.at_s for change in changes]
    assert times_s == sorted(times_s)


@pytest.mark.slow
async def test_a_peer_that_sends_no_rtp_stays_connected():
    """Muted, or its card stopped: consent and RTCP go on, and a new connection cures nothing."""
    async with ends("ada", "ben", flow_timeout_s=0.4) as (ada, ben):
        await connect(ada, ben)
        card = ben.card
        for _ in range(2):
            card.stop()
            received = ada.service.playout("ben").counters.received
            await asyncio.sleep(2.0)  # longer than any timeout here: nothing may happen
            assert ada.service.playout("ben").counters.received <= received + 1
            card = ben.new_card()
            await ben.service.initialize_local_audio(card)
            await plays_on(ada, "ben")
        assert ada.path("ben") == [CONNECTING, CONNECTED]
        assert ada.ice_path("ben") == ["checking", "completed"]


async def test_a_peer_that_vanishes_without_a_word_is_disconnected():
    async with ends("ada", "ben", flow_timeout_s=0.4) as (ada, ben), Stranger() as stranger:
        await connect(ada, ben)
        await stranger.offer_to(ada)
        await stranger.speak(ada)
        await stranger.sender.transport.transport.stop()  # its sockets: no BYE, no DTLS alert
        await until(lambda: ada.state("stranger") is DISCONNECTED)
        await ada.service.close_peer("stranger")
        assert ada.path("stranger") == [CONNECTING, CONNECTED, DISCONNECTED, CLOSED]
        await plays_on(ada, "ben")


async def test_a_stream_may_end_before_its_connection():
    async with ends("ada", "ben", flow_timeout_s=0.2) as (ada, ben), Stranger() as stranger:
        await connect(ada, ben)
        await stranger.offer_to(ada)
        await stranger.speak(ada)
        await stranger.sender.stop()  # says BYE (RFC 3550 §6.6)
        await until(lambda: RemoteStreamEnded("stranger") in ada.streams)
        assert ada.service.playout("stranger") is None
        await plays_on(ada, "ben")
        with cut_off(ada, "ben"):
            await until(lambda: ada.state("ben") is DISCONNECTED)  # later silent than the stranger
        assert ada.state("stranger") is CONNECTED
        await ada.service.close_peer("stranger")
        assert ada.streams.count(RemoteStreamEnded("stranger")) == 1


def rtp(number, ssrc):
    """An Opus packet of a stream."""
    packet = RtpPacket(payload_type=96, sequence_number=number, timestamp=960 * number, ssrc=ssrc)
    packet.payload = OPUS_SILENCE
    return packet.serialize()


async def test_after_its_end_a_stream_may_begin_again_under_another_ssrc():
    """RFC 3550 §8.2: who changes its SSRC says BYE for the old one."""
    async with ends("ada") as (ada,), Stranger() as stranger:
        await stranger.offer_to(ada)
        await stranger.speak(ada)
        await stranger.sender.stop()
        await until(lambda: RemoteStreamEnded("stranger") in ada.streams)

        async def heard_again():
            for number in range(1000):
                await stranger.sender.transport._send_rtp(rtp(number, 77))
                await asyncio.sleep(0.02)
                if ada.service.playout("stranger") is not None:
                    return

        await heard_again()
        playout = ada.service.playout("stranger")
        assert ada.streams[-1] == RemoteStreamAdded("stranger", playout)
        assert ada.path("stranger") == [CONNECTING, CONNECTED]


async def test_who_changes_its_ssrc_for_ever_is_closed(caplog):
    """aiortc and libsrtp keep a state for each SSRC, and would never forget one."""
    async with ends("ada") as (ada,), Stranger() as stranger:
        await stranger.offer_to(ada)
        await stranger.speak(ada)
        for ssrc in range(MOST_SSRCS + 1):
            await stranger.sender.transport._send_rtp(rtp(1, 1000 + ssrc))
        await until(lambda: ada.path("stranger")[-1] is CLOSED)
        assert ada.states[-1].reason == f"it has used {MOST_SSRCS} SSRCs"
        assert f"'stranger' has used {MOST_SSRCS} SSRCs in one connection" in caplog.text


async def test_a_peer_that_only_listens_has_no_stream():
    async with ends("ada", flow_timeout_s=0.1) as (ada,), Stranger("recvonly") as stranger:
        await stranger.offer_to(ada)
        await until(lambda: ada.state("stranger") is CONNECTED)
        receiver = stranger.connection.getReceivers()[0]
        await until(lambda: receiver.getSynchronizationSources())
        assert ada.service.playout("stranger") is None
        assert ada.streams == []
        assert ada.path("stranger") == [CONNECTING, CONNECTED]


async def test_only_opus_is_agreed_on_whatever_else_is_offered_first():
    def pcmu_first(sdp):
        before = "UDP/TLS/RTP/SAVPF 96 9 0 8"
        assert before in sdp
        return sdp.replace(before, "UDP/TLS/RTP/SAVPF 0 8 9 96")

    async with ends("ada") as (ada,), Stranger() as stranger:
        await stranger.offer_to(ada, pcmu_first)
        agreed = SessionDescription.parse(stranger.connection.remoteDescription.sdp).media[0]
        assert [codec.mimeType for codec in agreed.rtp.codecs] == ["audio/opus"]


async def test_a_wrong_fingerprint_fails():
    def forged(sdp):
        return "".join(
            line[:-4] + ("AA" if line[-4:-2] != "AA" else "BB") + "\r\n"
            if line.startswith("a=fingerprint")
            else line
            for line in sdp.splitlines(keepends=True)
        )

    async with ends("ada") as (ada,), Stranger() as stranger:
        await stranger.offer_to(ada, forged)
        await until(lambda: ada.path("stranger")[-1:] == [FAILED])
        assert ada.path("stranger") == [CONNECTING, FAILED]


async def test_a_connection_that_is_never_made_fails_in_time():
    async with ends("ada", connect_timeout_s=0.2) as (ada,), Stranger() as stranger:
        await stranger.offer_to(ada, lambda sdp: sdp.replace("a=ice-pwd:", "a=ice-pwd:x"))
        await until(lambda: ada.path("stranger")[-1:] == [FAILED])
        assert ada.states[-1].reason == "not made in 0.2 s"
        await ada.service.close_peer("stranger")
        assert ada.path("stranger") == [CONNECTING, FAILED, CLOSED]
        assert ada.ice_path("stranger") == ["checking", "failed", "closed"]


async def test_an_offer_without_candidates_is_answered_and_the_peer_reaches_us():
    """The end of candidates is no end of hope (RFC 8863)."""
    async with ends("ada") as (ada,), Stranger() as stranger:
        await stranger.offer_to(ada, lambda sdp: re.sub(r"a=candidate:.*\r\n", "", sdp))
        await until(lambda: ada.path("stranger") == [CONNECTING, CONNECTED])


async def test_where_nobody_is_reached_it_fails_in_time():
    async with ends("ada", connect_timeout_s=0.2) as (ada,), Stranger() as stranger:

        def unreachable(sdp):
            sdp = re.sub(r"a=candidate:.*\r\n", "", sdp)
            return sdp.replace("a=ice-pwd:", "a=ice-pwd:x")

        await stranger.offer_to(ada, unreachable)
        await until(lambda: ada.path("stranger")[-1:] == [FAILED])
        assert ada.states[-1].reason == "not made in 0.2 s"


@pytest.mark.parametrize("delay_turns", range(8))
async def test_closed_while_it_gives_up_it_leaves_nothing(delay_turns):
    """Whatever part of aiortc is half closed at that moment is closed for good."""
    async with ends("ada", connect_timeout_s=0.05) as (ada,), Stranger() as stranger:
        failed = asyncio.Event()
        ada.service.on_connection_state_change(
            lambda change: failed.set() if change.state is FAILED else None
        )
        await stranger.offer_to(ada, lambda sdp: sdp.replace("a=ice-pwd:", "a=ice-pwd:x"))
        await failed.wait()
        await turns(delay_turns)
        await ada.service.close_peer("stranger")
        assert ada.path("stranger") == [CONNECTING, FAILED, CLOSED]


async def test_what_the_peer_closed_is_released_here():
    async with ends("ada", "ben") as (ada, ben), Stranger() as stranger:
        await connect(ada, ben)
        await stranger.offer_to(ada)
        await stranger.speak(ada)
        await stranger.connection.close()
        await until(lambda: ada.service.peers == {"ben"})
        assert ada.path("stranger") == [CONNECTING, CONNECTED, CLOSED]
        await plays_on(ada, "ben")


@pytest.mark.parametrize("delay_turns", [0, 1, 3, 10, 30, 100, 200, 400, 800, 1_500, 3_000, 6_000])
@pytest.mark.parametrize("closer", ["ada", "ben"])
async def test_closing_while_connecting_leaves_nothing(closer, delay_turns):
    async with ends("ada", "ben") as (ada, ben):
        await signal(ada, ben)
        await turns(delay_turns)
        await {"ada": ada, "ben": ben}[closer].service.close()


@pytest.mark.parametrize("moment", [CONNECTING, CONNECTED])
async def test_closing_at_the_very_moment_of_a_change_leaves_nothing(moment):
    async with ends("ada", "ben") as (ada, ben):
        closing = []

        def close(change):
            if change.state is moment:
                closing.append(asyncio.create_task(ada.service.close_peer(change.peer_id)))

        ada.service.on_connection_state_change(close)
        await signal(ada, ben)
        await until(lambda: closing)
        await closing[0]
        assert ada.path("ben")[-1] is CLOSED


@pytest.mark.parametrize("delay_turns", [0, 1, 2, 3, 5, 8, 13, 21])
@pytest.mark.parametrize("step", ["offer", "answer"])
async def test_a_cancelled_step_leaves_nothing(step, delay_turns):
    async with ends("ada", "ben") as (ada, ben):
        offer = await ada.service.create_offer("ben")
        if step == "offer":
            working = asyncio.create_task(ben.service.create_offer("cleo"))
        else:
            working = asyncio.create_task(ben.service.handle_offer("ada", offer))
        await turns(delay_turns)
        if working.cancel():
            with pytest.raises(asyncio.CancelledError):
                await working
            assert ben.service.peers == frozenset()


async def test_closing_twice_and_together_is_harmless():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        await asyncio.gather(ada.service.close(), ada.service.close(), ben.service.close())
        await ada.service.close()
    assert ada.path("ben").count(CLOSED) == ben.path("ada").count(CLOSED) == 1


async def test_closing_goes_on_when_nobody_waits_for_it():
    async with ends("ada", "ben") as (ada, ben):
        await connect(ada, ben)
        closing = asyncio.create_task(ada.service.close())
        await turns(1)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await until(lambda: ada.service.peers == frozenset())


JAM = """
    import asyncio

    from jamlab.mesh.session import JamSession
    from jamlab.signaling.memory import MemoryChannel
    from tests.mesh.jam import Member

    async def jam():
        asyncio.get_running_loop().slow_callback_duration = 60  # a slow machine is no mistake
        channel = MemoryChannel()
        ada, ben, cleo = (Member(name, channel) for name in ("ada", "ben", "cleo"))
        async with ada.session, ben.session:
            await ada.session.wait_connected(60)
            async with cleo.session:
                await cleo.session.wait_connected(60)
                while cleo.hears != {"ada", "ben"}:
                    await asyncio.sleep(0.05)

    asyncio.run(jam())
    print("played")
"""


def test_a_jam_has_nothing_to_complain_of():
    """Python's development mode warns of whatever was not awaited, not closed or not freed."""
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(JAM)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "played\n", "")
