"""``jamlab``, as a command and as ``python -m jamlab``."""

import atexit
import errno
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

SOFTWARE = 70
"""Exit status after an error nobody expected (EX_SOFTWARE of sysexits.h); 1 says FAIL."""
NOT_WRITTEN = 74
"""Exit status when something cannot be written (EX_IOERR of sysexits.h)."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)


def main() -> int:
    """Run the command; returns its exit status."""
    try:
        from jamlab import cli, terminal

        terminal.use_any_encoding()
        terminal.log_visibly()
        status = cli.main()
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:  # while modules are imported; commands handle it themselves
        return 128 + signal.SIGINT
    except BrokenPipeError:  # e.g. of `jamlab report … | head -1`
        terminal.drop_output()
        return NOT_WRITTEN
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return _not_written(error)
        traceback.print_exc()
        return SOFTWARE


def _not_written(error: OSError) -> int:
    """Tell the user which file cannot be written; returns the exit status."""
    from jamlab import terminal

    terminal.drop_output()
    what = terminal.visible(str(error.filename or "the output"))
    print(
        f"jamlab: {what} cannot be written ({error.strerror}): make room, or write elsewhere; a "
        "record that is finished stays in its folder",
        file=sys.stderr,
    )
    return NOT_WRITTEN


def command() -> NoReturn:
    """Run the command, and end the process with its status."""
    ending = _Ending()
    atexit.register(ending.leave)  # the first that is registered is called last
    try:
        ending.status = main()
    except SystemExit as ended:
        ending.status = ended.code if isinstance(ended.code, int) else None
        raise
    finally:
        ending.spare_portaudio()
    sys.exit(ending.status)


class _Ending:
    """The end of a process in which PortAudio was used.

    PortAudio and JACK may abort while a process ends. So it ends at once, with the command's
    status, as soon as everything of Python's has been cleaned up.
    """

    def __init__(self) -> None:
        self.status: int | None = None

    def spare_portaudio(self) -> None:
        """Keep PortAudio, if it was loaded, from ending with the interpreter."""
        if "sounddevice" in sys.modules:
            from jamlab.audio.portaudio import abandon

            abandon()

    def leave(self) -> None:
        """End the process, if PortAudio was loaded."""
        if self.status is None or "sounddevice" not in sys.modules:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or nobody reads any more
                stream.flush()
        os._exit(self.status)


if __name__ == "__main__":
    command()
