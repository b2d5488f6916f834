"""Child process that runs a jamlab module and exchanges JSON lines with its parent: parent's side.

`jamlab.process.parent` is the child's side. Messages are lines on the child's standard input and
output. The first message to the child is its task, further ones are orders. ``null`` is the last
message in either direction: to the child it means *finish*, from the child *all is done*. A child
whose output ends without it has failed; the last line on its standard error is the reason.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from tempfile import TemporaryFile
from threading import Timer
from typing import Any, Self, TypeAlias

Within: TypeAlias = Callable[..., Sequence[str]]
"""Takes a command, word by word, and returns one that runs it elsewhere, e.g. in a namespace."""

_LONGEST_LINE = 1 << 20
_LAST_WORDS = 1 << 12
_FINISHING_S = 60.0
"""Time limit of a child to finish, generous for a busy machine."""

_OUR_ERROR = re.compile(r"jamlab\.[\w.]+: ")
"""Class name before the message of a jamlab exception, which is a sentence by itself."""


class ChildError(RuntimeError):
    """A child process could not be started, failed, ended too early or sent no message.

    `name` is the program in the process, e.g. ``"the hub"``; `fault` the failure, e.g. ``"no port
    is free"``.
    """

    def __str__(self) -> str:
        name, fault = self.args
        return f"the process of {name} {fault}"


def _here(*command: str) -> Sequence[str]:
    return command


class Child:
    """A child process; a context manager that kills the child at its end if it still runs.

    The child has a session of its own, so Ctrl-C reaches only the parent, which then ends the
    child. Errors contain `name`. The main of `module` calls
    `jamlab.process.parent.ending_with_parent`. `task` is the first message, for JSON. `within`
    wraps the command, e.g. to run it in a namespace.
    """

    def __init__(self, name: str, module: str, task: object, within: Within = _here) -> None:
        self.name = name
        self._command = within(sys.executable, "-m", module)
        self._task = _line(task)

    def __enter__(self) -> Self:
        self._errors = TemporaryFile()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise ChildError(self.name, f"cannot be started: {error}") from error
        self._write(self._task)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            assert file
            with suppress(BrokenPipeError):  # the child left a message unread
                file.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def send(self, message: object) -> None:
        """Send a message; after the child's end it is lost, and `receive` raises an error."""
        self._write(_line(message))

    def _write(self, line: bytes) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def receive(self) -> Any:
        """Wait for the next message; return None when the child has completed its task and ended.

        Raises `ChildError` if the child has ended before that, or its message is not JSON.
        """
        assert self._process.stdout
        line = self._process.stdout.readline(_LONGEST_LINE)
        if not line:
            raise ChildError(self.name, f"ended with status {self._end()}: {self._last_words()}")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise ChildError(self.name, f"sent {line[:80]!r}, which is not JSON") from None
        if message is None:
            self._end()
        return message

    def finish(self) -> Any:
        """Ask the child to finish, wait at most a minute, and return its last message.

        Raises `ChildError` if the child has already ended, or does not finish.
        """
        limit = Timer(_FINISHING_S, self.kill)
        limit.start()
        try:
            self.send(None)
            last = None
            while (message := self.receive()) is not None:
                last = message
            return last
        finally:
            limit.cancel()
            limit.join()

    def kill(self) -> None:
        """Kill the child and its own children, if it still runs."""
        if self._process.poll() is None:
            if not hasattr(os, "killpg"):  # Windows
                self._process.kill()
                return
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _end(self) -> int:
        """Wait for the end of a child after its last message; return its exit status."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_FINISHING_S)
        self.kill()
        return self._process.wait()

    def _last_words(self) -> str:
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_WORDS))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return _OUR_ERROR.sub("", lines[-1].strip(), count=1) if lines else "no message"


class AsyncChild:
    """A child process for tasks of an event loop; made by `child_process`."""

    def __init__(self, child: Child, thread: ThreadPoolExecutor) -> None:
        self.name = child.name
        self.send = child.send
        self._child = child
        self._thread = thread

    async def receive(self) -> Any:
        """Wait for the next message; see `Child.receive`."""
        return await self._in_thread(self._child.receive)

    async def finish(self) -> Any:
        """Ask the child to finish; see `Child.finish`."""
        return await self._in_thread(self._child.finish)

    async def _in_thread(self, step: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)


@asynccontextmanager
async def child_process(
    name: str, module: str, task: object, within: Within = _here
) -> AsyncIterator[AsyncChild]:
    """Run a child process while the context lasts; parameters as in `Child`."""
    # The child is killed first, which ends the thread's wait for it.
    with ThreadPoolExecutor(1) as thread, Child(name, module, task, within) as child:
        yield AsyncChild(child, thread)


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
