"""The browser that shows the notebook as a participant: its microphone, its loudspeaker.

The page runs the reference client (`jamlab/client`); its audio goes directly between the browser
and the peers. Only signalling passes through this kernel, which joins the room on the page's
behalf. The kernel and the browser may be different machines: on a remote server the browser's
microphone is the only one at hand.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from jamlab.fields import FieldError
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.media.quality import LOW_LATENCY, QUALITIES, Quality, UnsupportedQualityError
from jamlab.mesh.reach import Phase
from jamlab.resources import client_folder
from jamlab.signaling.channel import Channel
from jamlab.signaling.messages import MAX_NAME, MalformedSignalError, is_name
from jamlab.widgets.bundle import bundle, read_modules
from jamlab.widgets.page_messages import (
    SILENT_DBFS,
    Hello,
    Join,
    Leave,
    Mute,
    PageMessage,
    PageSignal,
    PeerReading,
    Reading,
    hides_addresses,
    read_message,
    signal_from,
)
from jamlab.widgets.page_stay import PageStay
from jamlab.widgets.style import style

log = logging.getLogger(__name__)

HIDDEN = (
    "The browser hides its addresses behind names that end in .local, because the microphone is "
    "not allowed: only machines in its own network can resolve them. Allow the microphone, or give "
    "a STUN or TURN server (ice=…)"
)
NO_SERVERS = (
    "The browser may be in another network than its peers, and no STUN or TURN server is given: "
    "give some with ice=…"
)
ELSEWHERE = "Another view of this notebook takes part with this name"
TAKEN_OVER = "another view of this notebook takes part now"


def _script() -> str:
    """Return the widget's module: its own script, the client's modules and style in one."""
    own = (Path(__file__).parent / "browser_peer.js").read_text("utf-8")
    sheet = (client_folder() / "style.css").read_text("utf-8").replace(":root", ":host")
    return f"const STYLE = {json.dumps(sheet)};\n{bundle(own, read_modules(client_folder()))}"


class BrowserPeer(anywidget.AnyWidget):
    """A participant in the browser that shows this notebook: displayed, it asks to take part.

    It asks for the microphone first, then joins. The page leaves when its cell, tab or window is
    closed, and when the kernel or this widget is. Of several views of one widget one takes part.

    Parameters
    ----------
    name : str
        The participant's name.
    signaling : callable
        Returns the channel of the room with a name, as for `jamlab.JamSession`.
    room : str
        Name of the room.
    ice : IceConfiguration
        STUN and TURN servers for the browser; by default host candidates only.
    quality : Quality
        One of the two qualities of the product, which are all that the page has.

    Attributes
    ----------
    stage : str
        ``"waiting"`` until a page takes part first, ``"joining"``, ``"in"`` or ``"out"``.
    muted : bool
        Whether the microphone is muted; can be set.
    permission : str
        State of the browser's microphone, see `jamlab.widgets.page_messages.Permission`.
    is_playing : bool
        Whether the page plays sound; false while the browser waits for a click.
    level_dbfs : float
        Highest peak of the microphone in the last quarter of a second.
    peers : dict
        A `jamlab.widgets.page_messages.PeerReading` for each peer that the page knows.
    warnings : list
        The warnings that the page shows, in the product's words.
    news : str
        The latest good news that it shows.
    hint : str
        A likely reason for a connection that was tried in vain; empty without one.
    problem : str
        Why the page is not in the room; empty when it is, or has left by itself.

    Raises
    ------
    ValueError
        When the name of participant or room, or the quality, cannot be used.
    RuntimeError
        Where no event loop runs.
    """

    _esm = _script()
    _css = style("browser_peer")

    stage = traitlets.Enum(("waiting", "joining", "in", "out"), "waiting")
    muted = traitlets.Bool().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    permission = traitlets.Unicode("prompt")
    is_playing = traitlets.Bool()
    level_dbfs = traitlets.Float(SILENT_DBFS)
    peers: "traitlets.Dict[str, PeerReading]" = traitlets.Dict()
    warnings: "traitlets.List[str]" = traitlets.List()
    news = traitlets.Unicode()
    problem = traitlets.Unicode()

    def __init__(
        self,
        name: str,
        *,
        signaling: Callable[[str], Channel],
        room: str = "jam",
        ice: IceConfiguration = HOST_ONLY,
        quality: Quality = LOW_LATENCY,
    ) -> None:
        self._page = ""  # the view that takes part; empty without one
        self._part: asyncio.Task[str] | None = None
        self._loop = asyncio.get_running_loop()
        _check_name(name, "participant")
        _check_name(room, "room")
        if quality not in QUALITIES.values():
            known = ", ".join(map(repr, QUALITIES))
            raise UnsupportedQualityError(
                f"a browser has no quality {quality.name!r}: choose {known}"
            )
        self.name, self.room = name, room
        self._signaling, self._ice, self._quality = signaling, ice, quality
        self._stay: PageStay | None = None
        self._hides: set[bool] = set()  # whether candidates of this stay hide their addresses
        super().__init__()
        self.on_msg(self._hear)

    async def leave(self) -> None:
        """Leave the room and end what the page does in it; return when the room is left."""
        self._end("the notebook's kernel has left the room")
        if self._part is not None:
            await asyncio.wait({self._part})

    def close(self) -> None:
        """Leave the room, and remove the widget from all pages."""
        self._end("")
        super().close()

    # Messages of the page

    def _hear(self, _widget: object, content: object, _buffers: object) -> None:
        """Pass a message on to the event loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop may have been closed just now
            self._loop.call_soon_threadsafe(self._read, content)

    def _read(self, content: object) -> None:
        try:
            self._do(read_message(content))
        except (FieldError, MalformedSignalError) as error:
            log.warning("a message of the page of %r is ignored: %s", self.name, error)

    def _do(self, message: PageMessage) -> None:
        match message:
            case Hello(page):
                self._introduce(page)
            case Join(page, take_over):
                self._join(page, take_over)
            case _ if message.page != self._page or self._stay is None:
                return  # of a view that does not take part any more
            case Leave():
                self._end("")
            case Mute(_, on):
                self.muted = on
            case PageSignal():
                self._pass_on(message, self._stay)
            case Reading():
                self._stay.note()
                self._note(message)

    def _introduce(self, page: str) -> None:
        settings = {
            "name": self.name,
            "room": self.room,
            "quality": self._quality.name,
            "configuration": self._ice.page_configuration,
            "first": self.stage == "waiting",
        }
        self._tell(page, {"kind": "settings", **settings})

    def _pass_on(self, message: PageSignal, stay: PageStay) -> None:
        signal = signal_from(message, self.name)
        hidden = hides_addresses(signal)
        if hidden is not None:
            self._hides.add(hidden)
        stay.send(signal)

    def _note(self, reading: Reading) -> None:
        with self.hold_trait_notifications():
            self.permission, self.is_playing = reading.permission, reading.is_playing
            self.level_dbfs = reading.level_dbfs
            self.peers = reading.peers
            self.warnings, self.news = reading.warnings, reading.news
        self.hint = self._hint_for(reading)

    def _hint_for(self, reading: Reading) -> str:
        """Return a likely reason for a connection that was tried in vain; empty without one."""
        if not any(peer.state is Phase.RESTING for peer in reading.peers.values()):
            return ""
        if self._hides == {True}:
            return HIDDEN
        return "" if self._ice.servers else NO_SERVERS

    # The stay

    def _join(self, page: str, take_over: bool) -> None:
        if self._page and not take_over:
            self._tell(page, {"kind": "refused", "reason": ELSEWHERE})
            return
        before = self._part
        self._end(TAKEN_OVER)
        self._page, self._hides = page, set()
        self.stage, self.problem = "joining", ""
        self._part = self._loop.create_task(self._take_part(page, before))
        self._part.add_done_callback(lambda part: self._settle(page, part))

    def _end(self, reason: str) -> None:
        """End the page's stay; its task then leaves the room."""
        if self._page:
            page, self._page = self._page, ""
            self._tell(page, {"kind": "ended", "reason": reason})
        if self._part is not None:
            self._part.cancel()

    async def _take_part(self, page: str, before: asyncio.Task[str] | None) -> str:
        if before is not None:
            await asyncio.wait({before})  # it may still be leaving under our name
        self._stay = PageStay(self.name, self._signaling(self.room), self._teller(page))
        return await self._stay.run()

    def _settle(self, page: str, part: asyncio.Task[str]) -> None:
        """Show that a stay is over, and say why; another page may have taken over meanwhile."""
        reason = _outcome(part)
        if page == self._page:
            self._end(reason)
        if not self._page:
            self.stage, self.problem = "out", reason
        self._stay = None
        self.peers, self.warnings, self.news, self.hint = {}, [], "", ""
        self.level_dbfs, self.is_playing = SILENT_DBFS, False

    def _teller(self, page: str) -> Callable[[Mapping[str, Any]], None]:
        def tell(content: Mapping[str, Any]) -> None:
            if content["kind"] == "joined":
                self.stage = "in"
            self._tell(page, content)

        return tell

    def _tell(self, page: str, content: Mapping[str, Any]) -> None:
        """Send a message to one view; without a comm, that is when closed, it is dropped."""
        self.send({**content, "page": page})


def _outcome(part: asyncio.Task[str]) -> str:
    """Return why a stay has ended; empty when it was told to."""
    if part.cancelled():
        return ""
    error = part.exception()
    if error is None:
        return part.result()
    log.info("a page is not in the room any more", exc_info=error)
    return str(error) or type(error).__name__


def _check_name(name: str, what: str) -> None:
    if not is_name(name):
        raise ValueError(
            f"the name of a {what} has 1 to {MAX_NAME} visible characters, not {name!r}: "
            "choose another"
        )
