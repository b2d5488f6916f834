"""The page plays the media path by its own buffer, as Chromium hands out the packets' frames."""

import pytest

from jamlab.audio.card import VirtualCard
from jamlab.measure.acceptance.sines import tone
from jamlab.mesh.session import JamSession
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.client.conftest import KEY

pytestmark = pytest.mark.slow

INBOUND = """async (jam, peer) => [...(await jam.service.playing(peer).pc.getStats()).values()]
    .find((each) => each.type === "inbound-rtp")"""
PLAYED = "jam.service.playout(peer)?.counters.played > 48000"


def participant(hub, name="ben"):
    """Return jamlab's participant, which plays a tone."""
    card = VirtualCard(tone((997.0, 997.0), -12.0))
    return JamSession("jam", name, signaling=lambda r: SupabaseChannel(r, hub.url, KEY), card=card)


async def plays_by_itself(player, peer):
    """Wait until the page's own buffer has played a peer, and the browser's has got nothing."""
    await player.connected(peer)
    await player.until(f"(jam, peer) => {PLAYED}", peer)
    await player.hears(peer)
    await player.until("(jam, peer) => jam.state(peer).figures.isFlowing", peer)
    assert await player.run("(jam, peer) => jam.service.playout(peer).transport", peer) == "media"
    inbound = await player.run(INBOUND, peer)
    assert inbound["packetsReceived"] > 0
    assert inbound.get("totalSamplesReceived", 0) == 0
    assert player.complaints == []


async def test_jamlab_is_played_by_the_page_s_own_buffer(hub, opened):
    async with participant(hub), opened(hub, "ada") as ada:
        await plays_by_itself(ada, "ben")
        figures = await ada.run("jam => jam.state('ben').figures")
        assert figures["transport"] == "media"
        assert figures["jitterBufferS"] > 0
        (stated,) = await ada.run(
            "() => jamlabCounters().map(({ connection, ...counters }) => counters)"
        )
        assert stated["packetsReceived"] * 120 >= stated["totalSamplesReceived"] * 0.5
        assert stated["packetsLost"] == 0
        assert stated["concealedSamples"] < stated["totalSamplesReceived"]


async def test_a_peer_may_change_the_length_of_its_frames(hub, opened):
    """With a third participant jamlab's frames are 5 ms instead of 2.5 ms."""
    length = """async (jam) => {
        const counted = () => ({ ...jam.service.playout("ben")?.counters });
        const before = counted();
        await new Promise((resolve) => setTimeout(resolve, 500));
        const after = counted();
        return (after.played - before.played) / (after.blocks - before.blocks);
    }"""
    async with participant(hub), opened(hub, "ada") as ada:
        await plays_by_itself(ada, "ben")
        async with participant(hub, "eve"):
            await plays_by_itself(ada, "eve")
            await ada.until(f"async jam => (await ({length})(jam)) > 200")
            await ada.hears("ben")
        assert ada.complaints == []


async def test_two_pages_by_the_older_way_to_encoded_frames(hub, opened):
    async def prepare(context):
        await context.add_init_script("delete globalThis.RTCRtpScriptTransform")

    async with (
        opened(hub, "ada", prepare=prepare) as ada,
        opened(hub, "ben", prepare=prepare) as ben,
    ):
        await plays_by_itself(ada, "ben")
        await plays_by_itself(ben, "ada")


async def by_the_browser(hub, opened, prepare):
    """Assert that the browser's own buffer plays jamlab."""
    async with participant(hub), opened(hub, "ada", prepare=prepare) as ada:
        await ada.connected("ben")
        await ada.hears("ben")
        received = f"""async jam => {{
            const inbound = await ({INBOUND})(jam, "ben");
            return inbound.totalSamplesReceived > 48000;
        }}"""
        await ada.until(received)
        await ada.until("jam => jam.state('ben').figures?.concealedShare < 1")
        assert await ada.run("jam => jam.service.playout('ben')") is None
        assert ada.complaints == []


async def test_without_a_decoder_the_browser_s_buffer_plays(hub, opened):
    async def prepare(context):
        await context.add_init_script("delete globalThis.AudioDecoder")

    await by_the_browser(hub, opened, prepare)


@pytest.mark.parametrize(
    ("ours", "others"),
    [
        ('"audio/opus"', '"audio/other"'),  # no frame is ours
        ("new Uint8Array(frame.data)", "Uint8Array.of(0xe1, 1)"),  # none can be decoded
        ("onrtctransform", "("),  # the worker does not start
    ],
)
async def test_frames_that_are_not_ours_go_on_to_the_browser_s_buffer(hub, opened, ours, others):
    async def changed(route):
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace(ours, others))

    async def prepare(context):
        await context.route("**/*.js", changed)

    await by_the_browser(hub, opened, prepare)


async def test_silence_of_the_network_is_still_noticed(hub, opened):
    async with opened(hub, "ada") as ada, opened(hub, "ben") as ben:
        await plays_by_itself(ada, "ben")
        await ben.run(
            """jam => {
                const { sender } = jam.service.playing("ada");
                const parameters = sender.getParameters();
                parameters.encodings[0].active = false;
                return sender.setParameters(parameters);
            }"""
        )
        await ada.until("jam => jam.state('ben').figures?.isFlowing === false")
