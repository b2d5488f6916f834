"""The configuration files; that PipeWire and WirePlumber understand them, test_graph.py shows."""

import re

from jamlab.audio_graph.configuration import (
    ALSA,
    PIPEWIRE,
    PULSE,
    pipewire_configuration,
    pulse_configuration,
    write_configuration,
)
from jamlab.audio_graph.plan import GraphPlan

PLAN = GraphPlan(("ada", "ben"), 64)


def values(text, key):
    return re.findall(rf"^ *{re.escape(key)} = (.*)$", text, re.MULTILINE)


def test_the_period_is_the_only_quantum():
    text = pipewire_configuration(PLAN)
    for key in ("quantum", "min-quantum", "max-quantum"):
        assert values(text, f"default.clock.{key}") == ["64"]


def test_every_player_has_a_microphone_and_a_loudspeaker():
    text = pipewire_configuration(PLAN)
    kinds = dict(zip(values(text, "node.name")[1:], values(text, "media.class"), strict=True))
    assert kinds == {
        "ada-microphone": "Audio/Source/Virtual",
        "ben-microphone": "Audio/Source/Virtual",
        "ada-loudspeaker": "Audio/Sink",
        "ben-loudspeaker": "Audio/Sink",
    }


def test_one_clock_is_in_the_devices_group_and_goes_before_them():
    text = pipewire_configuration(PLAN)
    assert len(set(values(text, "node.group"))) == 1
    clock, *devices = map(int, values(text, "priority.driver"))
    assert len(devices) == 4
    assert clock > max(devices)


def test_braces_are_balanced():
    for text in (pipewire_configuration(PLAN), pulse_configuration(PLAN)):
        assert text.count("{") == text.count("}")
        assert text.count("[") == text.count("]")
        assert "{{" not in text


def test_pulse_clients_may_ask_for_a_period():
    text = pulse_configuration(PLAN)
    assert values(text, "pulse.min.quantum") == ["64/48000"]


def test_all_files_are_in_the_folder(tmp_path):
    write_configuration(PLAN, tmp_path)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {PIPEWIRE, PULSE, ALSA} < written
    assert any(name.endswith(".lua") for name in written)
    assert any(name.startswith("wireplumber/wireplumber.conf.d/") for name in written)
