"""Sentences on recordings: rates, faulty samples, tempo, and the alignment of several."""

from collections.abc import Iterable, Iterator, Sequence

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.delays import alignments
from jamlab.measure.recording.heard import Heard, name_of
from jamlab.measure.recording.listening.train import Train
from jamlab.measure.recording.reader import AudioFile
from jamlab.measure.recording.record import RecordingRecord

_SAME_TEMPO = 2e-3  # far more than clocks differ


def notes_on(heard: Sequence[Heard], bpm: float | None) -> Iterator[str]:
    """Yield a sentence on everything that is odd about recordings."""
    for one in heard:
        name = name_of(one.file.path)
        if one.file.rate != one.file.header_rate:
            yield (
                f"{name} was read at {one.file.rate} samples a second, as told; its header says "
                f"{one.file.header_rate}."
            )
        if one.is_damaged:
            yield f"{name} ended at {one.seconds:.1f} s, where its sound is damaged."
        yield from _notes_on_sound(name, one.file)
        if bpm is not None:
            yield from _notes_on_tempo(name, one.trains, bpm)


def _notes_on_sound(name: str, file: AudioFile) -> Iterator[str]:
    for channel, (unusable, clipped) in enumerate(
        zip(file.faults.unusable, file.faults.clipped, strict=True), 1
    ):
        if unusable:
            yield (
                f"{name}, channel {channel} has {unusable} samples that are NaN or infinite: they "
                "were taken for silence."
            )
        if clipped:
            yield (
                f"{name}, channel {channel} is clipped at {clipped} samples: lower the gain, "
                "because levels there are too low, and clicks may be missed."
            )


def _notes_on_tempo(name: str, trains: Iterable[Train], bpm: float) -> Iterator[str]:
    for voice in sorted({train.voice for train in trains}):
        longest = max(
            (train for train in trains if train.voice == voice),
            key=lambda train: len(train.readings),
        )
        found = 60 * SAMPLE_RATE / longest.beat
        off = found / bpm - 1
        if abs(off) > _SAME_TEMPO:
            yield f"{name} has voice {voice} at {found:.4g} bpm, and not at {bpm:g} bpm as told."
        elif abs(off) > 1e-6:
            yield (
                f"{name} has voice {voice} at {bpm:g} bpm; the player's clock runs "
                f"{abs(1e6 * off):.1f} ppm {'faster' if off > 0 else 'slower'} than the recorder's."
            )


def notes_on_alignment(record: RecordingRecord) -> Iterator[str]:
    """Yield a sentence on each further file: by which voice it is aligned with the first."""
    aligned = alignments(record)
    for file in sorted({int(file) for file in record.arrivals["file"]})[1:]:
        name, first = (record.files[number - 1]["name"] for number in (file, 1))
        if file not in aligned:
            yield f"{name} has no voice in common with {first}: there are no delays between them."
            continue
        each = aligned[file]
        yield (
            f"{name} is aligned with {first} by voice {each.voice}, to {each.spread_ms:.2g} ms; "
            f"its clock is {each.skew_ppm:+.1f} ppm off, which is removed. The first arrival of "
            "that voice counts as simultaneous in both: add 2.9 ms a metre for the way between."
        )
