"""The user's steps into a room: a Python file with ``async def join(page, player)``."""

import asyncio
import inspect
import runpy
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

Join: TypeAlias = Callable[[Any, str], Awaitable[None]]
"""Takes a Playwright page that shows the application, and the player's name."""


class StepsError(RuntimeError):
    """Raised when a steps file cannot be used or fails; names its file and line."""


async def no_steps(page: Any, player: str) -> None:
    """Do nothing: the page joins by itself, or somebody joins by hand."""


def steps_in(file: Path, limit_s: float) -> Join:
    """Return the steps in a file; raises `StepsError` when it has none, or is not Python.

    The steps of a player may take a limited time. Their own errors are raised as `StepsError` as
    well.
    """
    join = _loaded(file).get("join")
    if not inspect.iscoroutinefunction(join):
        raise StepsError(f"{file} has no `async def join(page, player)`: define it there")
    if len(inspect.signature(join).parameters) != 2:
        raise StepsError(f"{file}: `join` has to take two arguments, page and player")

    async def steps(page: Any, player: str) -> None:
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                await join(page, player)
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            if limit.expired():
                raise _too_slow(file, player, limit_s, error) from error
            raise StepsError(f"{_place(file, error)}, for {player}: {words(error)}") from error

    return steps


def _too_slow(file: Path, player: str, limit_s: float, error: BaseException) -> StepsError:
    # The cancellation has the line; Python 3.11.2 leaves it in the context alone.
    cause = error.__cause__ or error.__context__ or error
    return StepsError(
        f"{_place(file, cause)}, for {player}: not done after {limit_s:g} s; give it more time by "
        "--join-timeout"
    )


def _loaded(file: Path) -> dict[str, Any]:
    try:
        return runpy.run_path(str(file))
    except OSError as error:
        raise StepsError(f"{file} cannot be read ({error.strerror}): name another file") from error
    except SyntaxError as error:
        raise StepsError(f"{file}, line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise StepsError(f"{_place(file, error)}: {words(error)}") from error


def _place(file: Path, error: BaseException) -> str:
    """Return the file and the line of the steps at which an error came about."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def words(error: BaseException) -> str:
    """Return the first line of an error's message, or its type without one.

    Playwright's messages continue with a log of many lines.
    """
    if isinstance(error, SystemExit):
        return f"it ended the program (exit status {error.code})"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
