"""The ports for sound on an audio graph, with their processes and links, as ``pw-dump`` tells them.

A port's process is that of its client's socket, so no program can state another's. Streams of
PulseAudio's clients, and of ALSA's through it, are ports of the door's process, not of theirs.
"""

import json
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

_KIND = "PipeWire:Interface:"
_SOUND = "audio"  # the end of the format of a port for sound; one for MIDI has another

Objects: TypeAlias = Mapping[int, Mapping[str, Any]]
"""The information on the objects of one kind, by their numbers."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port for sound."""

    number: int
    """Its number on the graph."""
    name: str
    """Its name, ``node:port``."""
    is_input: bool
    node: int
    """The number of its node."""
    pid: int
    """The process of its client; 0 for the server's own."""
    is_jack: bool
    """Whether its client speaks to JACK."""
    linked: frozenset[str] = frozenset()
    """The names of the ports that it is linked to."""


def objects_in(text: str) -> list[Any]:
    """Return the objects that ``pw-dump`` lists; raises ValueError when the text is not of it.

    It writes a list, and before it one for each change that comes meanwhile; what is gone has no
    information any more.
    """
    decoder, rest, found = json.JSONDecoder(), text.strip(), list[Any]()
    while rest:
        listed, end = decoder.raw_decode(rest)
        if not isinstance(listed, list):
            raise ValueError(f"{reprlib.repr(listed)} is not a list")
        found += listed
        rest = rest[end:].lstrip()
    return found


def ports_in(dump: Iterable[Any]) -> list[Port]:
    """Return the ports for sound in the objects that ``pw-dump`` lists; others are left out."""
    known = [each for each in dump if isinstance(each, Mapping)]
    clients, nodes, ports = (_objects(known, kind) for kind in ("Client", "Node", "Port"))
    names = {
        number: f"{_props(nodes[node]).get('node.name')}:{_props(port).get('port.name')}"
        for number, port in ports.items()
        if (node := _number(port, "node.id")) in nodes
    }
    linked = _linked(_objects(known, "Link"), names)
    return [
        _port(number, ports[number], name, nodes, clients, linked.get(number, frozenset()))
        for number, name in names.items()
        if str(_props(ports[number]).get("format.dsp", "")).endswith(_SOUND)
    ]


def _objects(dump: Sequence[Mapping[str, Any]], kind: str) -> Objects:
    last = {each["id"]: each for each in dump if isinstance(each.get("id"), int)}
    return {
        number: each["info"]
        for number, each in last.items()
        if each.get("type") == _KIND + kind and isinstance(each.get("info"), Mapping)
    }


def _props(info: Mapping[str, Any]) -> Mapping[str, Any]:
    props = info.get("props")
    return props if isinstance(props, Mapping) else {}


def _number(info: Mapping[str, Any], name: str) -> int:
    """Return a number among an object's properties; -1 where there is none."""
    found = str(_props(info).get(name, ""))
    return int(found) if found.isascii() and found.isdecimal() and len(found) < 20 else -1


def _linked(links: Objects, names: Mapping[int, str]) -> dict[int, frozenset[str]]:
    """Return for each port the names of those at the other ends of its links."""
    ends = [(link.get("output-port-id"), link.get("input-port-id")) for link in links.values()]
    found: dict[int, set[str]] = {}
    for one, other in (*ends, *((b, a) for a, b in ends)):
        if isinstance(one, int) and isinstance(other, int) and other in names:
            found.setdefault(one, set()).add(names[other])
    return {number: frozenset(others) for number, others in found.items()}


def _port(
    number: int,
    info: Mapping[str, Any],
    name: str,
    nodes: Objects,
    clients: Objects,
    linked: frozenset[str],
) -> Port:
    node = _number(info, "node.id")
    client = clients.get(_number(nodes[node], "client.id"), {})
    return Port(
        number,
        name,
        info.get("direction") == "input",
        node,
        max(0, _number(client, "pipewire.sec.pid")),
        _props(client).get("client.api") == "jack",
        linked,
    )
