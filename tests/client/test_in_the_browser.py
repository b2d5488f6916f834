"""The reference client as a user sees it: two pages, and a page with jamlab's own participant."""

import asyncio
import datetime

import numpy as np
import pytest

from jamlab.audio.card import Recording, VirtualCard
from jamlab.certificate import self_signed, server_context
from jamlab.measure.acceptance.sines import tone
from jamlab.measure.live_mesh.answer import answering
from jamlab.measure.live_mesh.ask import measure_mesh
from jamlab.measure.live_mesh.pairs import pairs_table
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import KEEP_S
from jamlab.mesh.connection.events import ConnectionState
from jamlab.mesh.session import JamSession
from jamlab.resources import client_folder
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.client.conftest import KEY
from tests.leaks import until

MARKUP = "<img src=x onerror=alert(1)>"

pytestmark = pytest.mark.slow


def participant(hub, recording, name="ben"):
    """Return jamlab's participant, which plays a tone and records what it hears."""
    card = VirtualCard(tone((997.0, 997.0), -12.0), recording=recording)
    return JamSession("jam", name, signaling=lambda r: SupabaseChannel(r, hub.url, KEY), card=card)


async def test_two_pages_hear_each_other_offline_and_names_are_text(hub, opened):
    async with opened(hub, "ada") as ada, opened(hub, MARKUP) as ben:
        await ada.connected(MARKUP)
        await ben.connected("ada")
        await ada.hears(MARKUP)
        await ben.hears("ada")
        await ada.page.get_by_text(MARKUP, exact=True).wait_for()
        assert await ada.page.locator("img").count() == 0
        await ada.until("(jam, peer) => jam.state(peer).figures?.roundTripS !== null", MARKUP)
        row = ada.page.get_by_role("listitem").filter(has_text=MARKUP)
        await row.get_by_text("connected · direct").wait_for()
        assert await ada.page.get_by_text("Fake Default Audio Input").count() == 1
        for player in ada, ben:
            assert player.complaints == []
            assert all(url.startswith(hub.page_at("127.0.0.1")) for url in player.requests)
            assert not any(KEY in url for url in player.requests)
        await ben.page.get_by_role("button", name="Leave").click()
        await row.wait_for(state="detached")


async def test_an_ice_restart_keeps_the_connection(hub, opened):
    state = """(jam, peer) => {
        const { number, pc } = jam.service.playing(peer);
        const ufrag = /a=ice-ufrag:(\\S+)/.exec(pc.localDescription.sdp)[1];
        return { number, ufrag, signaling: pc.signalingState };
    }"""
    async with opened(hub, "ada") as ada, opened(hub, "ben") as ben:
        for player, peer in (ada, "ben"), (ben, "ada"):
            await player.connected(peer)
        for player, peer in (ben, "ada"), (ada, "ben"):  # whichever name sorts first
            before = await player.run(state, peer)
            await player.page.get_by_role("button", name="Reconnect").click()
            condition = f"""(jam, [peer, ufrag]) => {{
                const now = ({state})(jam, peer);
                return now.ufrag !== ufrag && now.signaling === "stable";
            }}"""
            await player.until(condition, [peer, before["ufrag"]])
            assert (await player.run(state, peer))["number"] == before["number"]
            await player.connected(peer)
            await player.hears(peer)


async def test_a_lost_connection_is_made_again(hub, opened):
    async with opened(hub, "ada") as ada, opened(hub, "ben") as ben:
        await ada.connected("ben")
        await ben.connected("ada")
        number = await ada.run("jam => jam.service.playing('ben').number")
        await ben.run("jam => jam.service.playing('ada').pc.close()")
        await ada.until("(jam, old) => (jam.service.playing('ben')?.number ?? old) !== old", number)
        await ada.page.get_by_text("ben: Audio connection restored").wait_for()
        await ada.hears("ben")


@pytest.mark.parametrize("first", ["page", "jamlab"])
async def test_a_page_and_jamlab_hear_each_other(hub, opened, first):
    recording = Recording()

    def level():
        heard = recording.block(max(0, len(recording) - 48_000), 48_000)
        return float(np.abs(heard).max())

    async def met(ada, ben):
        await ada.connected("ben")
        await ada.hears("ben")
        await until(lambda: ben.service.connection_state("ada") is ConnectionState.CONNECTED)
        await until(lambda: level() > 0.01)

    ben = participant(hub, recording)
    if first == "page":
        async with opened(hub, "ada") as ada:
            await ada.until("jam => true")
            async with ben:
                await met(ada, ben)
            await ada.until("jam => jam.peers.length === 0")
    else:
        async with ben, opened(hub, "ada") as ada:
            await met(ada, ben)
            await ada.page.get_by_role("button", name="Leave").click()
            await until(lambda: not ben.members)


async def test_without_the_microphone_the_session_goes_on(hub, opened):
    async with (
        participant(hub, Recording()),
        opened(hub, "ada", microphone=False) as ada,
    ):
        dialog = ada.page.get_by_role("dialog")
        await dialog.get_by_text("Microphone access is required for jamming").wait_for()
        await dialog.get_by_role("button", name="Allow").click()
        await dialog.get_by_text("it was denied").wait_for()
        await dialog.get_by_role("button", name="Listen only").click()
        warning = "⚠ Microphone access is required for jamming: listening only was chosen"
        await ada.page.get_by_text(warning).wait_for()
        await ada.connected("ben")
        await ada.hears("ben")
        assert ada.complaints == []


async def test_over_https_with_a_certificate_of_the_run(opened):
    now = datetime.datetime.now(datetime.UTC)
    tls = server_context(*self_signed(["127.0.0.1"], now))
    async with (
        Hub(key=KEY, site=Site(read_pages(client_folder())), tls=tls) as hub,
        opened(hub, "ada") as ada,
    ):
        await ada.until("jam => jam.service.graph.stream !== null")
        assert await ada.page.evaluate("isSecureContext")


async def test_a_wrong_key_or_a_taken_name_is_a_sentence(hub, opened):
    async with opened(hub, "ada") as ada:
        await ada.until("jam => true")
        async with opened(hub, "ada") as other:
            await other.page.get_by_text("This name is taken").wait_for()
            await other.page.get_by_label("Key").fill("wrong")
            await other.page.get_by_label("Your name").fill("eve")
            await other.page.get_by_role("button", name="Join").click()
            await other.page.get_by_text("The key is wrong").wait_for()


async def test_the_mesh_is_measured_with_a_page_in_it(hub, opened):
    """The page clicks and hears clicks: both ways is a figure, one way an interval."""
    me = measuring_participant(
        "jam", "ben", lambda room: SupabaseChannel(room, hub.url, KEY), keep_s=KEEP_S
    )
    async with me.session, answering(me), opened(hub, "ada") as ada:
        await ada.connected("ben")
        await ada.until("jam => jam.service.graph.context.state === 'running'")
        await me.session.wait_connected(30, "ada")
        async with asyncio.timeout(240):
            while True:  # a busy machine may lose every click of a measurement
                record = await measure_mesh(me, 3.0)
                pairs = pairs_table(record).set_index(["sender", "receiver"])
                assert sorted(pairs.index) == [("ada", "ben"), ("ben", "ada")]
                if pairs["both_ways_ms"].notna().all():
                    break
        for pair in pairs.itertuples():
            assert 0 < pair.one_way_min_ms <= pair.one_way_max_ms < pair.both_ways_ms
        # afterwards the microphone is sent again
        await until(lambda: me.session.service.playout("ada") is not None)
        await ada.until("jam => !jam.service.graph.isStandingIn")
        assert ada.complaints == []


async def test_two_pages_by_the_data_transport(hub, opened):
    query = "&transport=data"
    async with opened(hub, "ada", query=query) as ada, opened(hub, "ben", query=query) as ben:
        for player, peer in (ada, "ben"), (ben, "ada"):
            await player.connected(peer)
            playing = "(jam, peer) => jam.state(peer).figures?.transport === 'data'"
            await player.until(playing, peer)
            await player.hears(peer)
            played = "(jam, peer) => jam.service.playout(peer).counters.played"
            await player.until(f"(...given) => ({played})(...given) > 48000", peer)
            # no media beside it, and the counters of what plays instead
            parameters = "(jam, peer) => jam.service.playing(peer).sender.getParameters()"
            await player.until(f"(...given) => !({parameters})(...given).encodings[0].active", peer)
            stated = "(jam, peer) => [...jamlabCounters()].map((each) => each.totalSamplesReceived)"
            (received,) = await player.run(stated)
            assert received > 48_000
            await player.until("(jam, peer) => jam.state(peer).figures.isFlowing", peer)
            await player.page.get_by_text("· data channel ·").wait_for()
        assert ada.complaints == ben.complaints == []


async def test_a_page_with_the_data_transport_plays_with_jamlab_too(hub, opened):
    async with participant(hub, Recording()), opened(hub, "ada", query="&transport=data") as ada:
        await ada.connected("ben")
        await ada.hears("ben")
        await ada.until("jam => jam.state('ben').figures?.transport === 'media'")
        told = "media, not the data channel that was asked for: the other end does not use it"
        await ada.page.get_by_text(told).wait_for()


async def test_a_page_that_cannot_do_what_was_asked_for_says_so(hub, opened):
    def prepare(context):
        return context.add_init_script("delete window.AudioEncoder")

    async with opened(hub, "ada", query="&transport=data", prepare=prepare) as ada:
        await ada.page.get_by_text("this browser sends no sound by data channels").wait_for()


async def test_of_an_offer_with_video_and_more_audio_one_stream_is_taken(hub, opened):
    script = """async (jam) => {
        const pc = new RTCPeerConnection();
        for (const kind of ["video", "audio", "audio"]) pc.addTransceiver(kind);
        await pc.setLocalDescription();
        const offer = pc.localDescription.toJSON();
        const { sdp } = await jam.service.handleOffer("eve", offer);
        await pc.setRemoteDescription({ type: "answer", sdp });
        const taken = pc.getTransceivers().map(({ currentDirection }) => currentDirection);
        jam.service.closePeer("eve");
        pc.close();
        return taken;
    }"""
    async with opened(hub, "ada") as ada:
        await ada.until("(jam) => jam.microphone === 'granted'")
        assert await ada.run(script) == ["inactive", "sendrecv", "sendonly"]
        assert ada.complaints == []


async def test_a_key_of_any_characters_opens_the_page(opened):
    key = "kéy & ключ"
    site = Site(read_pages(client_folder()))
    async with Hub(key=key, site=site) as hub, opened(hub, "ada") as ada:
        await ada.page.get_by_text("The key is wrong").wait_for()
        await ada.page.get_by_label("Key").fill(key)
        await ada.page.get_by_role("button", name="Join").click()
        await ada.until("(jam) => jam.members.size === 0")
