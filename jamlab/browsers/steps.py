"""The user's steps into a room: a Python file with ``async def join(page, player)``."""

import asyncio
import inspect
import re
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

Join: TypeAlias = Callable[[Any, str], Awaitable[None]]
"""Takes a Playwright page that shows the application, and the player's name."""


_COLOUR = re.compile(r"\x1b\[\d*m")
_BEYOND_S = 5.0
_AGAIN_S = 1.0


class StepsError(RuntimeError):
    """Raised when a steps file cannot be used or fails; names its file and line."""


class _BlockedError(BaseException):
    """Raised within steps that let nothing else run; no ``except Exception`` of theirs stops it."""


async def no_steps(page: Any, player: str) -> None:
    """Do nothing: the page joins by itself, or somebody joins by hand."""


def steps_in(file: Path, limit_s: float) -> Join:
    """Return the steps in a file; raises `StepsError` when it has none, or is not Python.

    The steps of a player may take a limited time. Their own errors are raised as `StepsError` as
    well.
    """
    join = _loaded(file, limit_s).get("join")
    if not inspect.iscoroutinefunction(join):
        raise StepsError(f"{file} has no `async def join(page, player)`: define it there")
    if len(inspect.signature(join).parameters) != 2:
        raise StepsError(f"{file}: `join` has to take two arguments, page and player")

    async def steps(page: Any, player: str) -> None:
        limit = asyncio.timeout(limit_s)
        try:
            with _interrupted(file, limit_s):
                async with limit:
                    await join(page, player)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the user's code may raise anything
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            if isinstance(error, _BlockedError):
                raise _blocking(f"{_place(file, error)}, for {player}", limit_s) from error
            if limit.expired():
                raise _too_slow(file, player, limit_s, error) from error
            raise StepsError(f"{_place(file, error)}, for {player}: {words(error)}") from error

    return steps


def _is_cancelled() -> bool:
    """Return whether the task was cancelled from outside, and the steps did not say so only."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _too_slow(file: Path, player: str, limit_s: float, error: BaseException) -> StepsError:
    # The cancellation has the line; Python 3.11.2 leaves it in the context alone.
    cause = error.__cause__ or error.__context__ or error
    return StepsError(
        f"{_place(file, cause)}, for {player}: not done after {limit_s:g} s; give it more time by "
        "--join-timeout"
    )


@contextmanager
def _interrupted(file: Path, limit_s: float) -> Iterator[None]:
    """Raise `_BlockedError` in steps that never await: no event loop can cancel those.

    Only the main thread can be interrupted, by a timer of the system that Windows lacks.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(_: int, frame: FrameType | None) -> None:
        while frame is not None:  # amid other code the loop runs, and its own limit holds
            if frame.f_code.co_filename == str(file):
                raise _BlockedError
            frame = frame.f_back

    handler = signal.signal(signal.SIGALRM, interrupt)
    timer = signal.setitimer(signal.ITIMER_REAL, limit_s + _BEYOND_S, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let modules beside the steps be imported, as when Python runs the file."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with suppress(ValueError):  # the steps may have changed it
            sys.path.remove(str(folder))


def _blocking(place: str, limit_s: float) -> StepsError:
    return StepsError(
        f"{place}: not done after {limit_s:g} s, and nothing else can run meanwhile: await calls "
        "that take time, e.g. asyncio.sleep(1) or asyncio.to_thread(requests.get, url)"
    )


def _loaded(file: Path, limit_s: float) -> dict[str, Any]:
    try:
        with _interrupted(file, limit_s), _importable(file.resolve().parent):
            return runpy.run_path(str(file))
    except OSError as error:
        raise StepsError(f"{file} cannot be read ({error.strerror}): name another file") from error
    except SyntaxError as error:
        place = f"{file}, line {error.lineno}" if error.lineno else str(file)
        raise StepsError(f"{place}: {error.msg or 'it is not Python'}") from error
    except KeyboardInterrupt:
        raise
    except _BlockedError as error:
        raise _blocking(_place(file, error), limit_s) from error
    except BaseException as error:  # the user's code may raise anything
        raise StepsError(f"{_place(file, error)}: {words(error)}") from error


def _place(file: Path, error: BaseException) -> str:
    """Return the file and the line of the steps at which an error came about."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def words(error: BaseException) -> str:
    """Return the first line of an error's message, or its type without one.

    Playwright's messages continue with a log of many lines; its first line, which has the reason,
    is added, e.g. ``waiting for locator("#join")``.
    """
    if isinstance(error, SystemExit):
        return f"it ended the program (exit status {error.code})"
    try:
        said = str(error)
    except Exception:  # an error of the user's own may have none
        said = ""
    first = (said.strip().splitlines() or [type(error).__name__])[0]
    _, _, log = _COLOUR.sub("", said).partition("\nCall log:\n")
    reason = next((line.strip(" -") for line in log.splitlines() if line.strip(" -")), "")
    return f"{first.rstrip('.')}: {reason}" if reason else first
