"""``jamlab natprobe``: its output for a NAT, and its errors when no server answers."""

import json
import math
import re

import pytest

from jamlab.cli.commands import main
from jamlab.cli.machine import natprobe
from jamlab.networks.discovery.conclusions import Discovery, meaning
from jamlab.networks.discovery.discover import DiscoveryError
from jamlab.networks.kernel import coturn
from jamlab.networks.model.nat_behaviour import PRESETS, Filtering, Mapping

needs_coturn = pytest.mark.skipif(
    coturn.unavailable() is not None, reason=coturn.unavailable() or ""
)
NAT = Discovery(
    ("192.0.2.1", 3478),
    ("10.0.0.7", 50000),
    mapped=("198.51.100.1", 40000),
    udp_blocked=False,
    nat=True,
    mapping=Mapping.APDM,
    filtering=Filtering.APDF,
    ports_preserved=False,
    lifetime_s=(30.4, 34.6),
    round_trip_s=0.0123,
    reasons={"hairpinning": "nothing [came] back"},
)
WHY = "the server answers neither over UDP nor over TCP: it is down, or blocked"
SILENT = Discovery(
    ("192.0.2.1", 3478),
    ("10.0.0.7", 50000),
    reasons=dict.fromkeys(
        ["udp_blocked", "nat", "mapping", "filtering", "hairpinning", "ports_preserved"], WHY
    ),
)


@pytest.fixture(name="asked")
def make_asked(monkeypatch):
    """Answer with ``asked["found"]``, and note what was asked."""
    asked = {"found": NAT, "calls": []}

    async def discover(server, **options):
        asked["calls"].append((server, options))
        return asked["found"]

    monkeypatch.setattr(natprobe, "discover", discover)
    return asked


class TestTable:
    def test_a_row_for_each_thing(self, asked, capsys):
        assert main(["natprobe", "stun.example.org"]) == 0
        told = capsys.readouterr().out
        rows = dict(re.findall(r"^ (\w[\w ]*?) {2,}(.*?) *$", told, re.MULTILINE))
        assert rows["UDP"].split("  ")[0] == "yes"
        assert "round trip 12.3 ms" in rows["UDP"]
        assert "10.0.0.7:50000 → 198.51.100.1:40000" in rows["NAT"]
        assert re.match(r"APDM +one outside address for each host and port", rows["mapping"])
        assert re.match(r"APDF +only hosts and ports that were sent to", rows["filtering"])
        assert re.match(r"– +nothing \[came\] back", rows["hairpinning"])
        assert rows["ports preserved"] == "no"
        assert re.match(r"30 to 35 s", rows["lifetime"])

    def test_one_sentence_below_says_what_it_means(self, asked, capsys):
        main(["natprobe", "stun.example.org"])
        *_, last = capsys.readouterr().out.splitlines()
        assert last == meaning(NAT)
        assert last.startswith("Symmetric NAT: direct to peers with no NAT")

    @pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
    def test_fits_eighty_columns(self, asked, preset, capsys):
        asked["found"] = Discovery(
            ("192.0.2.254", 65535),
            ("192.168.178.254", 65535),
            mapped=("198.51.100.254", 65535),
            udp_blocked=False,
            nat=True,
            mapping=preset.mapping,
            filtering=preset.filtering,
            hairpinning=False,
            ports_preserved=True,
            lifetime_s=(600.0, math.inf),
            round_trip_s=0.2,
        )
        main(["natprobe", "stun.example.org"])
        *table, _sentence = capsys.readouterr().out.splitlines()
        assert all(len(line) <= 80 for line in table)
        assert len([line for line in table if line.strip()]) == 8  # none is wrapped
        assert any("over 600 s" in line for line in table)

    def test_without_a_nat(self, asked, capsys):
        here = ("192.0.2.7", 50000)
        asked["found"] = Discovery(
            NAT.server,
            here,
            mapped=here,
            udp_blocked=False,
            nat=False,
            mapping=Mapping.EIM,
            filtering=Filtering.EIF,
            reasons=dict.fromkeys(["hairpinning", "ports_preserved"], "there is no NAT")
            | {"lifetime_s": "not asked for"},
        )
        main(["natprobe", "stun.example.org"])
        told = capsys.readouterr().out
        assert "192.0.2.7:50000 inside and outside" in told
        assert re.search(r"lifetime +– +not asked for", told)

    def test_nothing_is_said_seven_times(self, asked, capsys):
        asked["found"] = SILENT
        assert main(["natprobe", "stun.example.org"]) == 2
        told = " ".join(capsys.readouterr().out.split())
        assert told.count(WHY) == 2  # in the table, and in the sentence
        assert "mapping" not in told.partition(WHY)[0]


class TestJson:
    def test_has_everything(self, asked, capsys):
        assert main(["natprobe", "192.0.2.1", "--json"]) == 0
        read = json.loads(capsys.readouterr().out)
        assert read["mapping"] == "APDM"
        assert read["lifetime_s"] == [30.4, 34.6]
        assert read["reasons"] == {"hairpinning": "nothing [came] back"}
        assert read["meaning"] == meaning(NAT)

    def test_of_silence(self, asked, capsys):
        asked["found"] = SILENT
        assert main(["natprobe", "192.0.2.1", "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["udp_blocked"] is None

    def test_an_answer_that_says_nothing_is_no_finding(self, asked, capsys):
        why = "the server refuses to answer (500 Server Error)"
        reasons = {name: why for name in SILENT.reasons if name != "udp_blocked"}
        asked["found"] = Discovery(SILENT.server, SILENT.local, udp_blocked=False, reasons=reasons)
        assert main(["natprobe", "192.0.2.1"]) == 2
        told = " ".join(capsys.readouterr().out.split())
        assert told.startswith("NAT towards 192.0.2.1:3478 UDP yes the server refuses")
        assert told.count(why) == 2  # in the table, and in the sentence

    def test_blocked_udp_is_a_finding(self, asked):
        asked["found"] = Discovery(SILENT.server, SILENT.local, udp_blocked=True)
        assert main(["natprobe", "192.0.2.1", "--json"]) == 0


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "server"),
        [
            ("stun.example.org", ("stun.example.org", 3478)),
            ("192.0.2.1:19302", ("192.0.2.1", 19302)),
            ("localhost:1", ("localhost", 1)),
        ],
    )
    def test_server(self, asked, text, server):
        main(["natprobe", text])
        assert asked["calls"] == [(server, {"bind": None, "lifetime_limit_s": None})]

    def test_lifetime_and_bind(self, asked, capsys):
        main(["natprobe", "a", "--lifetime", "--bind", "192.0.2.7"])
        assert asked["calls"] == [
            (("a", 3478), {"bind": "192.0.2.7", "lifetime_limit_s": natprobe.LIFETIME_LIMIT_S})
        ]
        assert "up to 10 minutes" in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["", ":3478", "a:", "a:b", "a:000001", "[a]:b", "stun:a:1"])
    def test_no_server(self, text, capsys):
        assert main(["natprobe", text]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"jamlab: {text!r} is not a server: give a name or IPv4 address")
        assert told.count("\n") == 1

    @pytest.mark.parametrize("text", ["::1", "[::1]", "[2001:db8::7]:3478", "2001:db8::7"])
    def test_ipv6(self, text, capsys):
        assert main(["natprobe", text]) == 2
        told = capsys.readouterr().err
        assert told.startswith(
            f"jamlab: {text!r} is an IPv6 address: jamlab asks STUN servers over"
        )
        assert told.count("\n") == 1

    def test_a_complaint_is_one_sentence(self, monkeypatch, capsys):
        async def discover(*_, **__):
            raise DiscoveryError("'nowhere' has no IPv4 address: give another server")

        monkeypatch.setattr(natprobe, "discover", discover)
        assert main(["natprobe", "nowhere"]) == 2
        assert capsys.readouterr().err.startswith("jamlab: 'nowhere' has no IPv4 address")


@needs_coturn
def test_against_coturn(capsys):
    with coturn.Coturn() as server:
        assert main(["natprobe", f"127.0.0.1:{server.port}"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"mapping +EIM", told)
    assert re.search(r"filtering +EIF", told)
    assert told.endswith("No NAT: direct to every peer that has UDP.\n")


def test_this_machine_has_no_such_address(capsys):
    assert main(["natprobe", "127.0.0.1", "--bind", "192.0.2.1"]) == 2
    told = capsys.readouterr().err
    assert "192.0.2.1:0" in told
    assert "choose an address of this machine" in told
