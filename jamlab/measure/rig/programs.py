"""Running programs, each in a process group of its own, which is ended whatever happens."""

import asyncio
import os
import shlex
import shutil
import signal
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_ENDING_S = 4.0
_LOOK_S = 0.02
_TAIL = 4096
_LONGEST = 300


class RigError(RuntimeError):
    """A program cannot be started, ends too early, or is not heard; has reason and remedy."""


@dataclass(frozen=True)
class Program:
    """A program that was started; `title` says whose it is."""

    title: str
    words: Sequence[str]
    process: asyncio.subprocess.Process
    began_s: float
    folder: Path

    @property
    def last_words(self) -> str:
        """The last line that it wrote to standard error, or else to standard output."""
        said = (_last_line(self.folder / name) for name in ("errors", "output"))
        return next(filter(None, said), "")

    @property
    def alive(self) -> bool:
        """Whether any process of its group runs."""
        return _signal(self.process.pid, 0)


def _last_line(path: Path) -> str:
    """Return the last line of a file that says something, so not one of dashes."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").split("\n")
    said = (line.strip() for line in reversed(lines) if any(map(str.isalnum, line)))
    return next(said, "")[:_LONGEST]


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether there is one."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as another user, e.g. by sudo
        return True
    return True


class Programs:
    """The programs of a session, which write what they say into a folder.

    An asynchronous context manager: at its end all are asked to end (SIGTERM), then killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[str, Program] = {}

    async def __aenter__(self) -> "Programs":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def folder(self, name: str) -> Path:
        """Return the folder of a program of this name, which is made if need be."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    async def start(
        self, name: str, title: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Start a program; raises `RigError` when there is none of this name."""
        if shutil.which(words[0]) is None:
            raise RigError(
                f"{title} cannot be started: there is no program {words[0]!r} here; install it, or "
                "give its path"
            )
        said = self.folder(f".{name}")
        with (said / "output").open("wb") as output, (said / "errors").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", *words),
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        now_s = asyncio.get_running_loop().time()
        self._started[name] = Program(title, words, process, now_s, said)

    def owner(self, pid: int) -> str | None:
        """Return the name of the program that a process belongs to; None if it is none of these."""
        try:
            session = os.getsid(pid) if pid else 0
        except ProcessLookupError:
            return None
        named = (name for name, each in self._started.items() if each.process.pid == session)
        return next(named, None)

    def last_words(self, name: str) -> str:
        """Return the last line that a program wrote; "" when it wrote none."""
        return self._started[name].last_words

    async def unless_ended(self, work: Coroutine[Any, Any, T]) -> T:
        """Await some work; raises `RigError` if a program ends first."""
        doing = asyncio.ensure_future(work)
        ends = {asyncio.ensure_future(each.process.wait()): each for each in self._programs}
        try:
            await asyncio.wait({doing, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise RigError(_ended(next(ends[each] for each in ends if each.done())))
            return doing.result()
        finally:
            for each in (doing, *ends):
                each.cancel()
            await asyncio.gather(doing, *ends, return_exceptions=True)

    @property
    def _programs(self) -> list[Program]:
        return list(self._started.values())

    async def _end(self) -> None:
        """Ask all to end, the last one first; kill what is left of their groups after a while."""
        try:
            for each in reversed(self._programs):
                _signal(each.process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDING_S):
                    while any(each.alive for each in self._programs):  # noqa: ASYNC110 (groups)
                        await asyncio.sleep(_LOOK_S)
        finally:
            for each in self._programs:
                _signal(each.process.pid, signal.SIGKILL)
            for each in self._programs:
                await each.process.wait()


def _ended(program: Program) -> str:
    """Return in a sentence how a program ended, and what it said last."""
    status = program.process.returncode or 0
    how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
    lasted_s = asyncio.get_running_loop().time() - program.began_s
    said = f"its last words were: {program.last_words}" if program.last_words else "without a word"
    return (
        f"{program.title} ended {how} after {lasted_s:.1f} s ({shlex.join(program.words)}), {said}"
    )
