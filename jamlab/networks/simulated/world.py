"""Replacements in aioice and aiortc for network interfaces, wall clock and random numbers.

aioice and aiortc list the machine's interfaces, read its wall clock and use its entropy. Inside
``with simulated_world():`` those few names are replaced. On a `SimulatedLoop` the interfaces are
the current host's, the wall clock is the loop's, and all random numbers come from its seed; on any
other loop, and in other threads, nothing changes. No other module replaces names in these packages,
and `tests/networks/simulated/test_world.py` fails with a clear message when a name moves.

OpenSSL cannot be replaced: DTLS does not retransmit a lost flight in virtual time (see
`jamlab.networks.simulated.line` for the remedy), and its keys differ in every run, as do, by a byte
or two, the lengths of its certificates and signatures. So for the same seed the packets of ICE,
STUN and TURN are equal byte for byte; those of DTLS and SRTP are not.
"""

import asyncio
import base64
import contextlib
import datetime
import functools
import ipaddress
import random
import secrets
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import aioice.candidate
import aioice.ice
import aioice.stun
import aioice.turn
import aiortc.clock
import aiortc.mediastreams
import aiortc.rtcrtpreceiver
import aiortc.rtcrtpsender
import aiortc.rtcsctptransport

from jamlab.networks.simulated.host import current_host
from jamlab.networks.simulated.loop import SimulatedLoop

_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def _simulated_loop() -> SimulatedLoop | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # none runs in this thread
        return None
    return loop if isinstance(loop, SimulatedLoop) else None


class _Time:
    """Replaces the module `time`."""

    def time(self) -> float:
        loop = _simulated_loop()
        return _EPOCH.timestamp() + loop.time() if loop else time.time()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _Random:
    """Replaces the module `random`."""

    def __getattr__(self, name: str) -> Any:
        loop = _simulated_loop()
        return getattr(loop.random if loop else random, name)


class _Secrets:
    """Replaces the module `secrets`."""

    def randbits(self, k: int) -> int:
        loop = _simulated_loop()
        return loop.random.getrandbits(k) if loop else secrets.randbits(k)

    def __getattr__(self, name: str) -> Any:
        return getattr(secrets, name)


class _Addresses:
    """Replaces the module `ipaddress` with a cache: messages repeat the same few addresses."""

    ip_address = staticmethod(functools.lru_cache(maxsize=4096)(ipaddress.ip_address))

    def __getattr__(self, name: str) -> Any:
        return getattr(ipaddress, name)


def _now(original: Callable[[], datetime.datetime]) -> Callable[[], datetime.datetime]:
    def current_datetime() -> datetime.datetime:
        loop = _simulated_loop()
        return _EPOCH + datetime.timedelta(seconds=loop.time()) if loop else original()

    return current_datetime


def _addresses(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def get_host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        if _simulated_loop() is None:
            return original(use_ipv4, use_ipv6)
        host = current_host()
        ipv6 = host.ipv6_addresses if use_ipv6 else ()
        return [*(host.addresses if use_ipv4 else ()), *ipv6]

    return get_host_addresses


def _string(original: Callable[[int], str]) -> Callable[[int], str]:
    def random_string(length: int) -> str:
        loop = _simulated_loop()
        if loop is None:
            return original(length)
        return base64.b64encode(loop.random.randbytes(length))[:length].decode()  # ice-chars

    return random_string


def _bytes(original: Callable[[], bytes]) -> Callable[[], bytes]:
    def random_transaction_id() -> bytes:
        loop = _simulated_loop()
        return loop.random.getrandbits(96).to_bytes(12, "big") if loop else original()

    return random_transaction_id


def _integer(bits: int) -> Callable[[Callable[[], int]], Callable[[], int]]:
    def replacing(original: Callable[[], int]) -> Callable[[], int]:
        def draw() -> int:
            loop = _simulated_loop()
            return loop.random.getrandbits(bits) if loop else original()

        return draw

    return replacing


def _constant(value: object) -> Callable[[Any], Any]:
    return lambda _original: value


_REPLACED: tuple[tuple[ModuleType, str, Callable[[Any], Any]], ...] = (
    (aioice.candidate, "ipaddress", _constant(_Addresses())),
    (aioice.ice, "get_host_addresses", _addresses),
    (aioice.ice, "ipaddress", _constant(_Addresses())),
    (aioice.ice, "random_string", _string),
    (aioice.ice, "random", _constant(_Random())),
    (aioice.ice, "secrets", _constant(_Secrets())),
    (aioice.stun, "ipaddress", _constant(_Addresses())),
    (aioice.stun, "random_transaction_id", _bytes),
    (aioice.turn, "random_transaction_id", _bytes),
    (aioice.turn, "time", _constant(_Time())),
    (aiortc.clock, "current_datetime", _now),
    (aiortc.rtcrtpreceiver, "time", _constant(_Time())),
    (aiortc.rtcrtpreceiver, "random", _constant(_Random())),
    (aiortc.rtcrtpsender, "time", _constant(_Time())),
    (aiortc.rtcrtpsender, "random", _constant(_Random())),
    (aiortc.rtcrtpsender, "random16", _integer(16)),
    (aiortc.rtcrtpsender, "random32", _integer(32)),
    (aiortc.rtcsctptransport, "time", _constant(_Time())),
    (aiortc.rtcsctptransport, "random32", _integer(32)),
    (aiortc.mediastreams, "time", _constant(_Time())),
)


_entered = False


@contextlib.contextmanager
def simulated_world() -> Iterator[None]:
    """Replace the names in aioice and aiortc while the context lasts; it may be nested.

    Raises AttributeError if a name is not in the module where the pinned versions have it.
    """
    global _entered
    if _entered:
        yield
        return
    originals = [getattr(module, name) for module, name, _ in _REPLACED]
    _entered = True
    for (module, name, replacing), original in zip(_REPLACED, originals, strict=True):
        setattr(module, name, replacing(original))
    try:
        yield
    finally:
        _entered = False
        for (module, name, _), original in zip(_REPLACED, originals, strict=True):
            setattr(module, name, original)
