"""One connection to Supabase Realtime through its official client, from opening to loss.

The client's own reconnection is not used: it gives up after five attempts, does not track presence
again, and stops listening without an error when a callback or a malformed presence raises. Here a
client serves one socket. When the socket is lost, or the client stops listening for any reason, the
connection reports it once, and its owner makes another. A network that drops everything is detected
by the WebSocket library's pings, within 40 s.

Two names of realtime's client are private: `_listen`, whose end means every loss, and
`_ws_connection`, for the time limit of closing. So are the modules whose loggers would write keys.
realtime has no public name for any of them. So its minor version is pinned in pyproject.toml, and
`tests/test_project.py` fails when a name changes.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

from realtime import AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.types import RealtimeAcknowledgementStatus as Reply
from websockets.exceptions import InvalidStatus

from jamlab.signaling.channel import NameTakenError, SignalingError, name_taken
from jamlab.signaling.endpoint import Endpoint

log = logging.getLogger(__name__)

SIGNAL_EVENT = "webrtc-signal"
"""The broadcast event of the product's signals."""

OPEN_TIMEOUT_S = 10
"""Time limit for opening a connection."""

CLOSE_TIMEOUT_S = 1.0
"""Time limit for closing a connection properly, before the socket is dropped."""

_LOGGERS = [
    logging.getLogger(name)
    for name in ("websockets.client", "realtime._async.client", "realtime._async.channel")
]

P = ParamSpec("P")


class _Client(AsyncRealtimeClient):
    """The official client, with a callback for the end of its listening."""

    def __init__(self, endpoint: Endpoint, ended: Callable[[], None]) -> None:
        super().__init__(
            endpoint.url,
            token=endpoint.key,
            auto_reconnect=False,
            max_retries=1,
            timeout=OPEN_TIMEOUT_S,
        )
        self._ended = ended

    async def _listen(self) -> None:
        assert self._ws_connection is not None  # the client listens once it is connected
        self._ws_connection.close_timeout = CLOSE_TIMEOUT_S
        try:
            await super()._listen()
        except Exception:
            log.exception("the Realtime client cannot read a message of the service")
        finally:
            self._ended()


class _KeyFilter(logging.Filter):
    """Removes keys from the libraries' log records: handshake, join, messages of the service."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self._keys = keys

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the keys in a record."""
        words = record.getMessage()
        for key in self._keys:
            words = words.replace(key, "REDACTED")
        record.msg, record.args = words, None
        return True


class Connection:
    """One participant's socket and subscription, used once.

    `secret` owns the name, where the service supports it (see `names`). `on_presence` is called
    with the whole presence state at each change, `on_signal` with the payload of every signal
    broadcast in the room, and `on_lost` once when the connection is lost, unless it was closed
    before.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        room: str,
        name: str,
        secret: str,
        *,
        on_presence: Callable[[object], None],
        on_signal: Callable[[object], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.is_lost = False
        """Whether the connection is lost or closed."""
        self._endpoint = endpoint
        self._name = name
        self._on_presence = _guarded(on_presence)
        self._on_signal = _guarded(on_signal)
        self._on_lost = _guarded(on_lost)
        self._refusal = ""
        self._opened = asyncio.Event()
        self._left = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._key_filter = _KeyFilter(endpoint.key, secret)
        self._client = _Client(endpoint, self._lose)
        options: Any = {  # the client sends them all; its types lack the secret
            "config": {
                "broadcast": {"ack": True, "self": False},
                "presence": {"key": name, "enabled": True, "secret": secret},
                "private": False,
            }
        }
        self._channel = self._client.channel(room, options)
        self._channel.on_presence_sync(self._hear_presence)
        self._channel.on_broadcast(SIGNAL_EVENT, self._hear_broadcast)

    # Opening and closing

    async def open(self) -> None:
        """Connect, subscribe, and wait for the first presence state.

        Raises `NameTakenError` if the service knows another participant of that name, and
        `SignalingError` if it cannot be reached, does not answer, or refuses.
        """
        for logger in _LOGGERS:
            logger.addFilter(self._key_filter)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self._client.connect()
                await self._channel.subscribe(self._hear_state)
                while not (self._opened.is_set() or self.is_lost):
                    await self._opened.wait()
        except TimeoutError:
            raise self._error(f"did not answer within {OPEN_TIMEOUT_S} s") from None
        except InvalidStatus as error:
            raise self._error(_refused(error.response.status_code)) from None
        except Exception as error:  # the client passes on any exception of its layers
            fault = self._redacted(str(error))
            raise self._error(f"cannot be reached ({fault}): check that it runs there") from None
        if self.is_lost:
            raise self._refused_error()

    async def leave(self) -> None:
        """Unsubscribe, within a time limit and without errors; call `close` afterwards."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self._client.is_connected:
                    await self._channel.unsubscribe()
                    await self._left.wait()
        except Exception as error:  # the socket closes next, which has the same effect
            log.debug("the service did not confirm the departure: %s", type(error).__name__)

    async def close(self) -> None:
        """Close the socket, and end everything the client has started. Twice is harmless.

        A cancelled call stops waiting; everything closes nevertheless.
        """
        self.is_lost = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._channel.rejoin_timer.reset()
        self._channel.join_push.destroy()
        for push in self._channel.messages_waiting_for_ack.values():
            push.destroy()
        try:
            await self._client.close()
        except Exception:
            log.exception("the Realtime client did not close")
        finally:
            for logger in _LOGGERS:
                logger.removeFilter(self._key_filter)

    def _error(self, what: str) -> SignalingError:
        return SignalingError(f"the signalling service at {self._endpoint.url} {what}")

    def _redacted(self, text: str) -> str:
        """Return a foreign text with the key blacked out; our own words may contain a short key."""
        return text.replace(self._endpoint.key, "REDACTED")

    def _refused_error(self) -> SignalingError | NameTakenError:
        if "taken" in self._refusal.lower():
            return name_taken(self._name)
        if self._refusal:
            return self._error(f"refused: {self._redacted(self._refusal)[:200]}")
        return self._error("closed the connection")

    # Sending

    async def track(self, payload: Mapping[str, Any]) -> None:
        """Track the participant's presence; a failure counts as a loss of the connection."""
        try:
            if self._client.is_connected:
                await self._channel.track(dict(payload))
        except Exception:
            log.exception("the Realtime client cannot track a presence")
            self._lose()

    async def broadcast(
        self,
        payload: Mapping[str, Any],
        on_confirmed: Callable[[], None],
        on_refused: Callable[[], None],
    ) -> None:
        """Broadcast a signal; then one of the callbacks is called, or the connection is lost."""
        if not self._client.is_connected:
            return
        message = {"type": "broadcast", "event": SIGNAL_EVENT, "payload": dict(payload)}
        try:
            push = await self._channel.push("broadcast", message)
        except Exception as error:  # for example a signal that is not JSON in UTF-8
            log.debug("a signal could not be sent: %s", type(error).__name__)
            on_refused()
            return
        push.receive(Reply.Ok, lambda _: on_confirmed())
        push.receive(Reply.Error, lambda _: on_refused())
        push.receive(Reply.Timeout, on_refused)

    # Receiving

    def _hear_presence(self) -> None:
        if not self.is_lost:
            self._on_presence(self._channel.presence_state())
            self._opened.set()

    def _hear_broadcast(self, message: Mapping[str, Any]) -> None:
        if not self.is_lost:
            self._on_signal(message.get("payload"))

    def _hear_state(self, state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if state is RealtimeSubscribeStates.CLOSED:
            self._left.set()
        if state is not RealtimeSubscribeStates.SUBSCRIBED:
            self._refusal = self._refusal or _reason(error)
            self._lose()

    def _lose(self) -> None:
        self._opened.set()
        if not self.is_lost:
            self.is_lost = True
            self._on_lost()


def _guarded(callback: Callable[P, None]) -> Callable[P, None]:
    """Return a callback that logs its exceptions, which would end the client's listener."""

    @wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:
            log.exception("a callback of the signalling connection failed")

    return call


def _refused(status: int) -> str:
    if status == 401:
        return "refused the key (HTTP 401): check it (--key or JAMLAB_SUPABASE_KEY)"
    if status == 403:
        return (
            "refused the key or the host name in the URL (HTTP 403): check the key, and on a hub "
            "allow the name with jamlab serve --allow-host"
        )
    return f"refused the connection (HTTP {status}): check the URL"


def _reason(error: Exception | None) -> str:
    """Return the service's reason, which the client's exception has as JSON."""
    try:
        response = json.loads(str(error))
    except ValueError:
        return "" if error is None else str(error)
    reason = response.get("reason") if isinstance(response, dict) else None
    return reason if isinstance(reason, str) else ""
