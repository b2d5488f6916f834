"""A jam session in one widget: controls, microphone permission and level meters.

The panel creates and ends sessions. One task covers a whole session, from *Join* to the end of
*Leave*: it waits for the permission, if one is needed, enters a session from `new_session`,
displays it, and always leaves it. The user's settings (mute, gains, quality) belong to the panel
and are applied to the next session as well.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]

from jamlab.audio.permission import PermissionState
from jamlab.media.quality import QUALITIES
from jamlab.mesh.connection.events import ConnectionStateChange
from jamlab.mesh.controls import GainError
from jamlab.mesh.notices import Notice, NoticeBoard, NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.widgets.controls import TITLE, SessionControls
from jamlab.widgets.meter import LevelMeters
from jamlab.widgets.permission import MicrophonePermission

log = logging.getLogger(__name__)


class SessionPanel(widgets.VBox):  # type: ignore[misc]
    """Panel of a jam session: join and leave, mute, gains, quality, warnings, permission, meters.

    `new_session` returns a new `JamSession`, or any asynchronous context manager that yields an
    entered one. `permission` is asked before the first session is entered, and closed with the
    panel; a virtual card needs none. `session` and `meters` are the current session's. Raises
    `RuntimeError` where no event loop runs.
    """

    def __init__(
        self,
        new_session: Callable[[], AbstractAsyncContextManager[JamSession]],
        *,
        permission: MicrophonePermission | None = None,
    ) -> None:
        self._part: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._new_session = new_session
        self.permission = permission
        self.controls = SessionControls(self._act)
        self.session: JamSession | None = None
        self.meters: LevelMeters | None = None
        self._gains_db: dict[str, float] = {}
        self._joined: asyncio.Future[JamSession] | None = None
        self._leaving = asyncio.Event()
        super().__init__()
        self.add_class("jamlab-panel")
        self._lay_out()

    async def join(self) -> JamSession:
        """Join a session, as the button does; return it once it is entered.

        Exceptions in creating or entering the session are raised here and shown in the panel.
        """
        if self._part is None or self._part.done() or self._joined is None:
            self._leaving.clear()
            self._joined = self._loop.create_future()
            self._joined.add_done_callback(_seen)
            self._part = self._loop.create_task(self._take_part(self._joined))
        return await asyncio.shield(self._joined)

    async def leave(self) -> None:
        """Leave the session, or cancel joining; return when everything is closed."""
        part = self._part
        if part is None or part.done():
            return
        self._begin_to_leave(part)
        await asyncio.wait({part})

    def close(self) -> None:
        """Leave the session, and remove the panel from all pages."""
        for task in [*self._tasks, *([self._part] if self._part else [])]:
            task.cancel()
        for part in self.children:
            part.close()
        super().close()

    # User actions

    def _act(self, content: Mapping[str, Any]) -> None:
        match content:
            case {"kind": "join"}:
                self._start(self._join_or_show())
            case {"kind": "leave"}:
                self._start(self.leave())
            case {"kind": "mute", "on": bool(muted)}:
                self.mute(muted)
            case {"kind": "gain", "peer": str(peer), "db": None}:
                self.set_gain(peer, -math.inf)
            case {"kind": "gain", "peer": str(peer), "db": int(gain_db) | float(gain_db)}:
                self._gain_or_ignore(peer, gain_db)
            case {"kind": "quality", "name": str(name)} if name in QUALITIES:
                self._start(self.switch_quality(name))

    async def _join_or_show(self) -> None:
        try:
            await self.join()
        except Exception as error:
            log.info("joining failed: %s", error)  # the panel shows it

    def mute(self, muted: bool) -> None:
        """Mute or unmute."""
        self.controls.muted = muted
        if self.session is not None:
            self.session.service.controls.muted = muted

    def set_gain(self, peer: str, gain_db: float) -> None:
        """Set the gain of a peer; raises as `jamlab.mesh.controls.Fader.set`."""
        if self.session is not None:
            self.session.service.controls.set_gain(peer, gain_db)
            self._gains_db[peer] = gain_db
            self._show_peers()

    def _gain_or_ignore(self, peer: str, gain_db: float) -> None:
        try:
            self.set_gain(peer, gain_db)
        except GainError as error:
            log.warning("the gain of %r does not change: %s", peer, error)

    async def switch_quality(self, name: str) -> None:
        """Change the quality of the sound sent, as `JamSession.switch_quality`."""
        self.controls.quality = name
        if self.session is not None:
            await self.session.switch_quality(QUALITIES[name])

    # The session

    async def _take_part(self, joined: asyncio.Future[JamSession]) -> None:
        self.controls.stage, self.controls.problem = "joining", ""
        try:
            if self.permission is not None:
                await self.permission.asked()
            async with self._new_session() as session:
                with self._shown(session):
                    joined.set_result(session)
                    await self._leaving.wait()
        except Exception as error:
            self.controls.problem = str(error) or type(error).__name__
            if joined.done():
                log.exception("the session has ended with an error")
            else:
                joined.set_exception(error)
        finally:
            joined.cancel()
            self.controls.stage = "out"

    def _begin_to_leave(self, part: asyncio.Task[None]) -> None:
        self.controls.stage = "leaving"
        if self.session is None:
            part.cancel()
        self._leaving.set()

    @contextmanager
    def _shown(self, session: JamSession) -> Iterator[None]:
        """Display a session while the context lasts."""
        with ExitStack() as stack:
            self.session = session
            self.meters = stack.enter_context(_metering(session))
            self.meters.observe(lambda _: self._show_others(), "rows")
            stack.callback(session.on_notice(self._note))
            stack.callback(session.service.on_connection_state_change(self._follow))
            if self.permission is not None:
                stack.callback(self.permission.on_answer(self._use_answer))
            self._set_again(session)
            self._lay_out()
            self.controls.stage = "in"
            try:
                yield
            finally:
                self.controls.stage = "leaving"
                self.session = self.meters = None
                self.controls.title = TITLE
                self._lay_out()
                self._end_tasks()

    def _set_again(self, session: JamSession) -> None:
        """Apply the user's settings to a new session."""
        controls = session.service.controls
        controls.muted = self.controls.muted
        for peer, gain_db in self._gains_db.items():
            controls.set_gain(peer, gain_db)
        self.controls.title = f"{session.name} in {session.room}"
        wanted = self.controls.quality or session.service.quality.name
        self.controls.quality = wanted
        if wanted in QUALITIES and wanted != session.service.quality.name:
            self._start(session.switch_quality(QUALITIES[wanted]))

    def _use_answer(self) -> None:
        """Restart the card, because its permission has changed."""
        if self.session is not None:
            self._start(self._restart(self.session))

    async def _restart(self, session: JamSession) -> None:
        await session.start_card()
        self._show_notices()
        self._show_microphone()

    # Display

    def _note(self, _notice: Notice) -> None:
        self._show_notices()
        self._show_microphone()

    def _follow(self, _change: ConnectionStateChange) -> None:
        self._show_others()

    def _lay_out(self) -> None:
        """Show the controls always, permission and meters when they exist."""
        parts = self.controls, self.permission, self.meters
        self.children = [part for part in parts if part is not None]
        self._show_others()
        self._show_microphone()

    def _show_others(self) -> None:
        """Show the peers, and the notices about them."""
        self._show_peers()
        self._show_notices()

    def _show_peers(self) -> None:
        if self.session is None or self.meters is None:
            self.controls.peers = []
            return
        names = sorted(self.session.members | self.session.service.peers)
        self.controls.peers = [{"name": name, "gain_db": self._gain_db(name)} for name in names]

    def _gain_db(self, peer: str) -> float | None:
        gain_db = self._gains_db.get(peer, 0.0)
        return gain_db if math.isfinite(gain_db) else None  # JSON has no infinity

    def _show_notices(self) -> None:
        board = NoticeBoard() if self.session is None else self.session.board
        shown = [notice for notice in board.warnings if not self._is_asked_for(notice)]
        self.controls.warnings = [_sentence(notice) for notice in shown]
        news = board.news
        self.controls.news = "" if news is None else news.sentence

    def _is_asked_for(self, notice: Notice) -> bool:
        """Return whether the permission widget shows a notice."""
        return notice.kind is NoticeKind.MICROPHONE and self.permission is not None

    def _show_microphone(self) -> None:
        permission, session = self.permission, self.session
        if permission is not None:
            allowed = permission.access.state is PermissionState.GRANTED
            permission.problem = session.microphone_problem if session and allowed else ""
            permission.in_use = session is not None

    # Tasks

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a user action in the panel failed", exc_info=task.exception())

    def _end_tasks(self) -> None:
        """Cancel the tasks of user actions in a session that ends."""
        for task in self._tasks:
            task.cancel()


@contextmanager
def _metering(session: JamSession) -> Iterator[LevelMeters]:
    meters = LevelMeters(session)
    meters.start()
    try:
        yield meters
    finally:
        meters.close()


def _sentence(notice: Notice) -> dict[str, str]:
    return {"text": notice.sentence, "hint": notice.hint}


def _seen(joined: asyncio.Future[JamSession]) -> None:
    """Mark an exception as retrieved, because the user reads it in the panel."""
    if not joined.cancelled():
        joined.exception()
