"""Programs for playing together whose commands are known, with their servers."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from jamlab.measure.latency.plan import MAX_PEERS, MIN_PEERS, PlanError
from jamlab.measure.rig.plan import RigPlan


@dataclass(frozen=True, slots=True)
class Preset:
    """The commands of a program: the first player's, the other players', and a server's."""

    title: str
    first: str
    others: str
    before: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """Names under which its program is installed, one of which takes the place of ``PROGRAM``."""
    install: str = ""
    most_players: int = MAX_PEERS

    def commands(self, players: int) -> tuple[str, ...]:
        """Return the players' commands; raises `PlanError` when it is missing, or has too many."""
        if players > self.most_players:
            raise PlanError(
                f"the preset of {self.title} is for {self.most_players} players, not {players}: "
                "leave out --peers, or give their commands by --player"
            )
        return tuple(map(self._found, (self.first, *[self.others] * (players - 1))))

    def servers(self) -> tuple[str, ...]:
        """Return the commands that run before the players'."""
        return tuple(map(self._found, self.before))

    def _found(self, command: str) -> str:
        if not self.programs:
            return command
        there = next(filter(shutil.which, self.programs), None)
        if there is None:
            raise PlanError(f"{self.title} is not installed: {self.install}")
        return command.replace("PROGRAM", there)


_ALONE = "env QT_QPA_PLATFORM=offscreen HOME={folder} XDG_CONFIG_HOME={folder} PROGRAM"
_JAMULUS = (
    f"{_ALONE} --nogui --nojackconnect --connect 127.0.0.1:{{port}} --clientname {{player}} "
    "--inifile {folder}/jamulus.ini"
)
_JAMLAB = f"{shlex.quote(sys.executable)} -m jamlab"
_JOIN = (
    f"{_JAMLAB} join rig --name {{player}} --hub http://127.0.0.1:{{port}} --key rig "
    "--sound-card --microphone allow --input {player}-microphone --output {player}-loudspeaker "
    "--block-frames {period} --no-port-mapping"
)

PRESETS = {
    "jamulus": Preset(
        "Jamulus",
        _JAMULUS,
        _JAMULUS,
        (f"{_ALONE} --server --nogui --port {{port}}",),
        ("jamulus", "Jamulus"),
        "apt-get install jamulus",
    ),
    "jacktrip": Preset(
        "JackTrip",
        "PROGRAM --nojackportsconnect --server --bindport {port} --clientname {player}",
        "PROGRAM --nojackportsconnect --client 127.0.0.1 --peerport {port} --bindport {own_port} "
        "--clientname {player}",
        (),
        ("jacktrip",),
        "apt-get install jacktrip",
        most_players=2,
    ),
    "jamlab": Preset("jamlab", _JOIN, _JOIN, (f"{_JAMLAB} serve --port {{port}} --key rig",)),
}
"""The presets by the names that a user gives."""


def rig_plan(preset: str, peers: int = MIN_PEERS, **parameters: Any) -> RigPlan:
    """Return the plan of a preset for some players; `parameters` are those of `RigPlan`.

    Raises `PlanError` when there is no such preset, or its program is not installed.

    Examples
    --------
    >>> rig_plan("jamlab", peers=3, duration_s=12.0).name
    'jamlab'
    """
    if preset not in PRESETS:
        raise PlanError(f"there is no preset {preset!r}: choose {', '.join(PRESETS)}")
    chosen = PRESETS[preset]
    before = (*chosen.servers(), *parameters.pop("before", ()))
    system = parameters.pop("system", "") or preset
    return RigPlan(chosen.commands(peers), before, system, **parameters)
