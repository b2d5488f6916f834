"""Child process that plays clicks into the microphones and records the graph, as JACK programs.

Playing and recording are two clients. A single one would close a loop in the graph, and PipeWire
carries one link of a loop a period late, without saying which. Without a loop, each cycle runs from
the player over microphones, applications and loudspeakers to the recorder.

Python is quick enough for that. If it is late nevertheless, a cycle is missing in all channels at
once, and counted. ``pw-cat``, which is written in C, does not tell where on the graph's clock its
blocks belong, so a hole would shorten a delay; nor does it tell of xruns.
"""

import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.audio_graph.plan import AudioGraphError
from jamlab.audio_graph.tape import BLOCKS, CYCLES, frames_since
from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.pauses import ShortPauses
from jamlab.process.real_time import RealTime

_SETTLES_S = 0.3
"""Time for new links to carry sound, before frame 0."""
_PATIENCE_S = 5.0
_LOOK_S = 0.1
_STOOD_STILL = (
    f"the audio graph has stood still for {_PATIENCE_S:g} s: its server has ended, or the machine "
    "is overloaded"
)


class Clock:
    """Frame 0 of the metronomes on the graph's clock; before it is set, every frame precedes it."""

    def __init__(self) -> None:
        self._origin: int | None = None

    def begin(self, origin: int) -> None:
        """Set the position of frame 0."""
        self._origin = origin

    def frame(self, position: int) -> int | None:
        """Return the frame at a position of the graph's clock; None where frame 0 is not set."""
        return None if self._origin is None else frames_since(self._origin, position)


class Player:
    """Plays a metronome into each of its ports."""

    def __init__(self, client: Any, clock: Clock, metronomes: Sequence[Metronome]) -> None:
        self._client, self._clock = client, clock
        self._voices = [
            (client.outports.register(f"voice_{number}"), metronome)
            for number, metronome in enumerate(metronomes)
        ]
        client.set_process_callback(self.process)

    def process(self, frames: int) -> None:
        """Play a cycle."""
        at = self._clock.frame(self._client.last_frame_time)
        for port, metronome in self._voices:
            port.get_array()[:] = 0 if at is None else metronome.block(at, frames)[:, 0]


class Recorder:
    """Records its ports, from frame 0 to a given number of frames."""

    def __init__(self, client: Any, clock: Clock, ports: int, period: int, frames: int) -> None:
        self.running, self.ended = threading.Event(), threading.Event()
        self.cycles: deque[tuple[int, int, NDArray[np.float32]]] = deque()
        """Position, time of the call in ns and sound of each cycle that was not yet fetched."""
        self.xruns = 0
        self.fault: str | None = None
        self._client, self._clock = client, clock
        self._period, self._frames = period, frames
        self._ports = [client.inports.register(f"channel_{number}") for number in range(ports)]
        client.set_process_callback(self.process)
        client.set_xrun_callback(self._late)
        client.set_shutdown_callback(lambda *_: self._give_up("the audio server has ended"))

    def process(self, frames: int) -> None:
        """Record a cycle."""
        called_ns = time.monotonic_ns()
        self.running.set()
        at = self._clock.frame(self._client.last_frame_time)
        if at is None or at < 0 or self.ended.is_set():
            return
        if frames != self._period:
            self._give_up(f"a program changed the period to {frames} frames: keep it from that")
        elif at >= self._frames:
            self.ended.set()
        else:
            sound = np.stack([port.get_array() for port in self._ports])
            self.cycles.append((at, called_ns, sound))

    def _late(self, _delay_us: float) -> None:
        at = self._clock.frame(self._client.last_frame_time)
        if at is not None and at >= 0 and not self.ended.is_set():
            self.xruns += 1

    def _give_up(self, fault: str) -> None:
        self.fault = fault
        self.ended.set()


def _client(name: str) -> Any:
    import jack  # loads the library; without it this module can still be imported

    return jack.Client(name, no_start_server=True)


def _write(recorder: Recorder, folder: Path) -> None:
    """Write what is recorded until the recorder has ended."""
    waited_s = 0.0
    with (folder / BLOCKS).open("wb") as blocks, (folder / CYCLES).open("wb") as cycles:
        while waited_s < _PATIENCE_S:
            ended = recorder.ended.wait(_LOOK_S)
            waited_s = 0.0 if recorder.cycles else waited_s + _LOOK_S
            while recorder.cycles:
                position, called_ns, sound = recorder.cycles.popleft()
                blocks.write(sound.data)
                cycles.write(np.array([position, called_ns]).data)
            if ended:
                return
    raise AudioGraphError(_STOOD_STILL)


def record(task: dict[str, Any]) -> int:
    """Play and record as the parent wants; return the number of xruns."""
    clock, out, into = Clock(), _client("jamlab-player"), _client("jamlab-recorder")
    period = int(task["period_frames"])
    Player(out, clock, [Metronome(**each) for each in task["metronomes"]])
    recorder = Recorder(into, clock, len(task["recorded"]), period, int(task["frames"]))
    out.activate()
    into.activate()
    links = [
        (port, sink)
        for port, sinks in zip(out.outports, task["played_into"], strict=True)
        for sink in sinks
    ]
    for link in links:
        out.connect(*link)
    for link in zip(task["recorded"], into.inports, strict=True):
        into.connect(*link)
    if not recorder.running.wait(_PATIENCE_S):
        raise AudioGraphError(_STOOD_STILL)
    settling = -int(-_SETTLES_S * SAMPLE_RATE // period) * period
    clock.begin(into.last_frame_time + settling)
    _write(recorder, Path(task["folder"]))
    if recorder.fault:
        raise AudioGraphError(recorder.fault)
    for link in links:  # so that no microphone waits for the player when it has gone
        out.disconnect(*link)
    return recorder.xruns


@contextmanager
def _explained() -> Iterator[None]:
    """Say in words what an error of JACK's means."""
    import jack

    try:
        yield
    except jack.JackError as error:
        raise AudioGraphError(
            f"the audio server has ended, or takes no JACK program: {error}"
        ) from error


def main() -> None:
    """Make the parent's recording; the entry point of the process.

    The clients are never closed. PipeWire would cancel their threads, and one that waits for the
    interpreter's lock keeps its mutex: the process would hang. With the process, all of it goes.

    The writing thread runs in real time like theirs: they wait while it has the lock, however long
    other programs keep it from the processor.
    """
    status = 1
    try:
        with ending_with_parent():
            task = receive()
            ShortPauses().ask()
            RealTime().ask()
            with _explained():
                send({"xruns": record(task)})
        status = 0
    except AudioGraphError as error:
        print(error, file=sys.stderr, flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
