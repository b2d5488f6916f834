"""The panel without a browser: user actions, display and cleanup."""

import asyncio
import contextlib
import math
import threading

import pytest

from jamlab.audio.card import MicrophoneUnavailableError, VirtualCard
from jamlab.audio.permission import MicrophoneAccess
from jamlab.media.quality import HIGH_QUALITY, Quality
from jamlab.mesh.notices import NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.signaling.channel import NameTakenError
from jamlab.signaling.memory import MemoryChannel
from jamlab.widgets import MicrophonePermission, SessionPanel
from tests.leaks import until

pytestmark = pytest.mark.usefixtures("nothing_left")

QUIET = Quality("quiet", 64_000, 960, "audio")


class AccessCard(VirtualCard):
    """A virtual card that asks for permission, and starts as often as it is told to."""

    def __init__(self, access):
        super().__init__(block_frames=480)
        self.access, self.starts = access, []

    def start(self, callback, *, capture=True):
        if capture:
            self.access.check()
        self.starts.append(capture)
        self.started_s = None
        super().start(callback, capture=capture)


class Room:
    """A room, whose sessions are called Ada's."""

    def __init__(self):
        self.channel = MemoryChannel()
        self.made = []

    def session(self, name="ada", **options):
        options.setdefault("card", VirtualCard(block_frames=480))
        made = JamSession("room", name, signaling=lambda _: self.channel, quality=QUIET, **options)
        self.made.append(made)
        return made


@contextlib.asynccontextmanager
async def panel_of(new_session, **options):
    panel = SessionPanel(new_session, **options)
    try:
        yield panel
    finally:
        part = panel._part
        panel.close()
        if part is not None:
            await asyncio.wait({part})


def press(panel, **content):
    """As the front end does."""
    panel.controls._hear(None, content, None)


def test_it_needs_an_event_loop_to_play_on():
    with pytest.raises(RuntimeError, match="no running event loop"):
        SessionPanel(Room().session)


async def test_join_and_leave_and_join_again():
    room = Room()
    async with panel_of(room.session) as panel:
        assert panel.controls.stage == "out"
        first = await panel.join()
        assert (panel.controls.stage, panel.controls.title) == ("in", "ada in room")
        assert await panel.join() is first
        assert [type(child).__name__ for child in panel.children] == [
            "SessionControls",
            "LevelMeters",
        ]
        await panel.leave()
        assert (panel.controls.stage, panel.session, panel.meters) == ("out", None, None)
        assert panel.controls.title == "Jam session"
        assert len(panel.children) == 1
        await panel.leave()
        assert await panel.join() is not first


async def test_buttons_join_and_leave():
    room = Room()
    async with panel_of(room.session) as panel:
        press(panel, kind="join")
        await until(lambda: panel.controls.stage == "in")
        press(panel, kind="leave")
        await until(lambda: panel.controls.stage == "out")


async def test_what_is_pressed_may_come_on_another_thread():
    room, here = Room(), threading.get_ident()
    threads = []

    def new_session():
        threads.append(threading.get_ident())
        return room.session()

    async with panel_of(new_session) as panel:
        thread = threading.Thread(target=press, args=(panel,), kwargs={"kind": "join"})
        thread.start()
        thread.join()
        await until(lambda: panel.controls.stage == "in")
    assert threads == [here]


async def test_mute_gains_and_quality_act_and_are_set_again_in_the_next_session():
    room = Room()
    async with panel_of(room.session) as panel, room.session("ben"):
        session = await panel.join()
        await session.wait_connected(30, "ben")
        await until(lambda: panel.controls.peers == [{"name": "ben", "gain_db": 0.0}])
        press(panel, kind="mute", on=True)
        press(panel, kind="gain", peer="ben", db=-12.5)
        press(panel, kind="quality", name="high quality")
        await until(lambda: session.service.quality is HIGH_QUALITY)
        controls = session.service.controls
        assert (controls.muted, controls.gain_db("ben")) == (True, -12.5)
        assert panel.controls.peers == [{"name": "ben", "gain_db": -12.5}]
        await panel.leave()
        again = await panel.join()
        assert again.service.controls.muted
        assert again.service.controls.gain_db("ben") == -12.5
        await until(lambda: again.service.quality is HIGH_QUALITY)


async def test_silence_is_no_number_in_json():
    room = Room()
    async with panel_of(room.session) as panel, room.session("ben"):
        session = await panel.join()
        await until(lambda: panel.controls.peers)
        press(panel, kind="gain", peer="ben", db=None)
        await until(lambda: panel.controls.peers == [{"name": "ben", "gain_db": None}])
        assert session.service.controls.gain_db("ben") == -math.inf


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "gain", "peer": "ben", "db": 1000},
        {"kind": "gain", "peer": "ben", "db": math.nan},
        {"kind": "gain", "peer": 3, "db": 1},
        {"kind": "gain", "peer": "ben", "db": "loud"},
        {"kind": "quality", "name": "best"},
        {"kind": "mute", "on": "yes"},
        {"kind": "explode"},
        "join",
        None,
    ],
)
async def test_nonsense_from_the_front_end_changes_nothing(content):
    room = Room()
    async with panel_of(room.session) as panel:
        session = await panel.join()
        panel.controls._hear(None, content, None)
        await asyncio.sleep(0)
        controls = session.service.controls
        assert (controls.muted, controls.gain_db("ben")) == (False, 0.0)
        assert panel.controls.quality == "quiet"


async def test_a_peer_comes_and_goes():
    room = Room()
    async with panel_of(room.session) as panel:
        await panel.join()
        async with room.session("ben"):
            await until(lambda: [peer["name"] for peer in panel.controls.peers] == ["ben"])
        await until(lambda: panel.controls.peers == [])


async def test_warnings_are_in_the_products_words_and_end():
    room = Room()
    async with panel_of(room.session) as panel:
        session = await panel.join()
        session._tell(NoticeKind.HIGH_LATENCY, "ben")
        session._tell(NoticeKind.SIGNALING_LOST)
        texts = [warning["text"] for warning in panel.controls.warnings]
        assert texts == [
            "ben: High latency detected, audio may be delayed",
            "Connection to the session service lost: audio plays on",
        ]
        assert panel.controls.warnings[0]["hint"].startswith("use a wired network")
        session._tell(NoticeKind.NORMAL_LATENCY, "ben")
        assert len(panel.controls.warnings) == 1
        assert panel.controls.news == "ben: Latency is back to normal"
        await panel.leave()
        assert (panel.controls.warnings, panel.controls.news) == ([], "")


async def test_what_was_told_before_it_was_joined_is_read():
    room = Room()

    @contextlib.asynccontextmanager
    async def new_session():
        async with room.session() as session:
            session._tell(NoticeKind.CARD_LOST, reason="there is no output device")
            yield session

    async with panel_of(new_session) as panel:
        await panel.join()
        assert panel.controls.warnings == [
            {
                "text": "Sound card lost: the session goes on without it",
                "hint": "there is no output device",
            }
        ]


async def test_who_cannot_join_reads_why():
    async def taken():
        raise NameTakenError("somebody is called 'ada' in 'room' already: choose another name")

    @contextlib.asynccontextmanager
    async def new_session():
        await taken()
        yield

    async with panel_of(new_session) as panel:
        press(panel, kind="join")
        await until(lambda: panel.controls.problem)
        assert "choose another name" in panel.controls.problem
        assert panel.controls.stage == "out"
        with pytest.raises(NameTakenError):
            await panel.join()


async def test_a_factory_that_fails_is_shown_too():
    def new_session():
        raise OSError("there is no hub")

    async with panel_of(new_session) as panel:
        with pytest.raises(OSError, match="no hub"):
            await panel.join()
        assert panel.controls.problem == "there is no hub"


async def test_without_a_microphone_and_without_a_permission_it_is_a_warning():
    room = Room()
    deaf = VirtualCard(block_frames=480, microphone=False)
    async with panel_of(lambda: room.session(card=Restarting(deaf))) as panel:
        await panel.join()
        assert [each["text"] for each in panel.controls.warnings] == [
            "Microphone access is required for jamming"
        ]


class Restarting:
    """A card without a microphone, that plays all the same."""

    def __init__(self, card):
        self._card = card
        self.block_frames, self.counters = card.block_frames, card.counters
        self.round_trip_frames, self.too_late = card.round_trip_frames, False

    def start(self, callback, *, capture=True):
        if capture:
            raise MicrophoneUnavailableError("it has none")
        self._card.start(callback, capture=False)

    def stop(self):
        self._card.stop()


class TestPermission:
    @contextlib.asynccontextmanager
    async def panel(self):
        room, access = Room(), MicrophoneAccess()
        self.cards = []

        def new_session():
            self.cards.append(AccessCard(access))
            return room.session(card=self.cards[-1])

        permission = MicrophonePermission(access)
        async with panel_of(new_session, permission=permission) as panel:
            yield panel

    def answer(self, panel, **content):
        panel.permission._hear(None, content, None)

    async def test_it_is_asked_at_the_first_use_and_remembered(self):
        async with self.panel() as panel:
            assert panel.permission.state == "prompt"
            joining = asyncio.create_task(panel.join())
            await until(lambda: panel.controls.stage == "joining")
            assert self.cards == []
            self.answer(panel, kind="allow", input="")
            session = await joining
            assert self.cards[0].starts == [True]
            assert session.microphone_problem == ""
            await panel.leave()
            await panel.join()
            assert self.cards[1].starts == [True]

    @pytest.mark.parametrize(
        ("kind", "state"), [("deny", "denied"), ("listen only", "listen only")]
    )
    async def test_who_does_not_allow_it_listens_and_can_think_again(self, kind, state):
        async with self.panel() as panel:
            self.answer(panel, kind=kind)
            await panel.join()
            assert panel.permission.state == state
            assert self.cards[0].starts == [False]
            assert panel.controls.warnings == []  # the indicator says it
            self.answer(panel, kind="allow", input="")
            await until(lambda: self.cards[0].starts == [False, True])
            await until(lambda: panel.session.microphone_problem == "")
            self.answer(panel, kind="deny")
            await until(lambda: self.cards[0].starts == [False, True, False])

    async def test_who_waits_for_the_answer_can_leave(self):
        async with self.panel() as panel:
            press(panel, kind="join")
            await until(lambda: panel.controls.stage == "joining")
            press(panel, kind="leave")
            await until(lambda: panel.controls.stage == "out")
            assert self.cards == []

    async def test_allowed_but_not_there_is_shown(self):
        async with self.panel() as panel:
            self.answer(panel, kind="allow", input="")
            session = await panel.join()
            session.card.access = MicrophoneAccess()  # as a device that has gone
            await session.start_card()
            await until(lambda: panel.permission.problem)
            assert "the user has not been asked" in panel.permission.problem


async def test_closing_the_panel_leaves_the_session():
    room = Room()
    async with panel_of(room.session) as panel:
        session = await panel.join()
    assert session.members == frozenset()
    with pytest.raises(RuntimeError, match="entered its session before: make a new JamSession"):
        await session.__aenter__()
