"""Arguments checked before anything is measured: output paths, and the parameters of plans."""

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jamlab.media.playout.delay import DEFAULT_BOUNDS, DelayBounds


def folder(text: str) -> Path:
    """Return the path of a folder that exists or can be made, or raise `ArgumentTypeError`."""
    path = Path(text)
    _check_name(path, "folder")
    there = next(each for each in (path, *path.parents) if os.access(each, os.F_OK))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ArgumentTypeError(f"you cannot write to {there}: choose another folder")
    return path


def page(text: str) -> Path:
    """Return the path of a file that can be written, or raise `ArgumentTypeError`."""
    path = Path(text)
    _check_name(path, "file")
    if os.access(path, os.F_OK) and (path.is_dir() or not os.access(path, os.W_OK)):
        raise ArgumentTypeError(f"you cannot write to {path}: choose another file")
    return folder(str(path.parent)) / path.name


def _check_name(path: Path, kind: str) -> None:
    """Raise `ArgumentTypeError` for a path that no file or folder can have."""
    try:
        os.fsencode(path).decode()
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except OSError as error:
        fault = f"{path} cannot be used ({error.strerror}): choose another {kind}"
        raise ArgumentTypeError(fault) from None
    except UnicodeDecodeError:
        raise ArgumentTypeError(f"the name of {path} is not UTF-8: choose another {kind}") from None


def percent(text: str) -> str:
    """Return a percentage as it was given, or "" for none; else raise `ArgumentTypeError`."""
    try:
        fits = not text or 0 <= float(text) <= 100
    except ValueError:
        fits = False
    if not fits:
        raise ArgumentTypeError(f"{text!r} is not a percentage: give a number from 0 to 100")
    return text


@contextmanager
def named_by_option(
    options: Mapping[str, str], refusal: type[ValueError | RuntimeError]
) -> Iterator[None]:
    """Name the option, and not the parameter, when a plan refuses a value with `refusal`.

    `options` has the names of the parameters by those of the options.
    """
    try:
        yield
    except refusal as error:
        parameter, _, fault = str(error).partition(" ")
        for option, name in options.items():
            if name == parameter:
                raise refusal(f"--{option.replace('_', '-')} {fault}") from error
        raise


def add_delay_bounds(parser: ArgumentParser) -> None:
    """Add the options for the bounds of the playout buffers."""
    parser.add_argument(
        "--accepted",
        type=float,
        default=100 * DEFAULT_BOUNDS.accepted_share,
        metavar="PERCENT",
        help="concealed sound for which the playout buffers aim (default: %(default)s)",
    )
    parser.add_argument(
        "--most-delay",
        type=float,
        default=1000 * DEFAULT_BOUNDS.most_delay_s,
        metavar="MS",
        help="largest delay that a playout buffer adds to the least (default: %(default)s)",
    )
    parser.add_argument(
        "--equal-latency",
        action="store_true",
        help="hear every peer as late as the slowest path of the session, at most 100 ms",
    )


def delay_bounds(options: Namespace) -> DelayBounds:
    """Return the bounds of the options; raise ValueError, which names one out of its range."""
    return DelayBounds(options.accepted / 100, options.most_delay / 1000)
