"""Consistency of the project's files: documents, dependencies, layout and private names."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import jamlab
from tests.layout import (
    arrows,
    crowded,
    folder,
    modules,
    turned_round,
    without_a_module,
    wrong_imports,
)
from tests.private_names import missing, used_in

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"sounddevice": "python-sounddevice", "soundfile": "pysoundfile"}
MAY_IMPORT = {
    "process": "",
    "resources": "",
    "fields": "",
    "certificate": "process resources",
    "terminal": "",
    "pace": "",
    "audio/conversion": "",
    "audio": "process audio/conversion",
    "audio_graph": "process audio",
    "ice": "resources fields",
    "networks/port_mapping": "",
    "media": "audio",
    "media/agent": "pace ice networks/port_mapping media",
    "media/playout": "audio media",
    "mesh/connection": "fields audio ice networks/port_mapping media media/agent media/playout",
    "signaling": "fields",
    "signaling/hub": "process fields pace signaling",
    "signaling/supabase": "pace signaling",
    "mesh": (
        "fields pace audio ice networks/port_mapping media media/agent media/playout "
        "mesh/connection signaling"
    ),
    "networks": "",
    "networks/model": "resources",
    "networks/stun": "networks/model",
    "networks/turn": "networks/model networks/stun",
    "networks/discovery": "networks/model networks/stun networks/turn",
    "networks/traces": "process media/playout networks/model",
    "networks/simulated": "networks/port_mapping networks/model",
    "networks/kernel": "process certificate networks/model networks/discovery",
    "measure": "process media",
    "measure/latency": (
        "process resources audio audio_graph media media/playout mesh/connection signaling mesh "
        "measure"
    ),
    "measure/process_mesh": (
        "process audio media/playout signaling/hub signaling/supabase measure measure/latency"
    ),
    "measure/dump/layouts": "",
    "measure/dump": "resources measure measure/latency measure/dump/layouts",
    "measure/live_mesh": (
        "process fields pace audio ice networks/port_mapping media media/playout "
        "mesh/connection signaling mesh networks/traces measure measure/latency"
    ),
    "measure/ensemble": "mesh measure measure/latency measure/live_mesh",
    "measure/sound_card": "audio audio/conversion measure measure/latency",
    "measure/recording/listening": "audio measure/latency",
    "measure/recording": "process audio audio/conversion measure measure/latency "
    "measure/recording/listening",
    "measure/sound_quality": ("audio media media/playout networks/model measure measure/latency"),
    "browsers": "process",
    "measure/browser": (
        "process resources audio audio_graph browsers signaling/hub measure measure/latency"
    ),
    "measure/rig": "process audio audio_graph measure measure/latency",
    "measure/playout": ("audio media media/playout networks/model measure measure/latency"),
    "measure/servers": "ice networks/model networks/turn measure",
    "measure/connectivity": (
        "process resources ice media networks/model networks/stun "
        "networks/turn networks/simulated measure measure/servers"
    ),
    "measure/connectivity_by_rule": "networks/model measure measure/connectivity",
    "measure/session_connectivity": (
        "audio ice media signaling mesh networks/model networks/simulated measure "
        "measure/connectivity"
    ),
    "measure/connectivity_on_kernel": (
        "process fields audio ice media media/playout mesh mesh/connection networks/model "
        "networks/kernel browsers measure measure/connectivity"
    ),
    "measure/across_networks": (
        "process resources ice signaling/hub signaling/supabase networks/model "
        "networks/simulated networks/kernel measure measure/latency "
        "measure/live_mesh"
    ),
    "measure/browser_networks": (
        "media networks/model networks/kernel measure measure/latency measure/browser "
        "measure/across_networks"
    ),
    "measure/acceptance": (
        "process audio ice media signaling mesh networks/model "
        "networks/turn networks/simulated measure measure/latency "
        "measure/connectivity measure/across_networks"
    ),
    "measure/browser_acceptance": (
        "audio browsers networks/kernel measure measure/latency measure/browser "
        "measure/across_networks measure/browser_networks measure/acceptance"
    ),
    "report": "",
    "report/page": (
        "process resources measure measure/latency measure/connectivity "
        "measure/session_connectivity"
    ),
    "report/latency": "audio media measure measure/latency measure/sound_card report/page",
    "report/dump": "measure measure/latency measure/dump report/page",
    "report/recording": "measure measure/recording report/page",
    "report/sound_quality": "audio measure measure/sound_quality report/page",
    "report/ensemble": "measure measure/ensemble report/page",
    "report/live_mesh": (
        "audio mesh/connection signaling mesh measure/latency measure/live_mesh report/page"
    ),
    "report/across_networks": (
        "networks/model measure measure/latency measure/across_networks report/page report/latency"
    ),
    "report/browser": ("measure measure/latency measure/browser report/page report/latency"),
    "report/rig": "measure measure/latency measure/rig report/page report/latency",
    "report/playout": "measure measure/playout report/page",
    "report/browser_networks": (
        "measure measure/latency measure/browser measure/across_networks "
        "measure/browser_networks report/page report/across_networks"
    ),
    "report/connectivity": (
        "measure measure/servers measure/connectivity measure/connectivity_by_rule "
        "measure/connectivity_on_kernel report/page"
    ),
    "report/session_connectivity": (
        "measure measure/connectivity measure/session_connectivity report/page"
    ),
    "report/acceptance": (
        "measure measure/latency measure/across_networks measure/acceptance "
        "report/page report/latency"
    ),
    "widgets": "resources fields audio ice media mesh/connection signaling mesh",
    "cli/machine": (
        "process terminal audio audio/conversion audio_graph media networks/model "
        "networks/discovery networks/kernel networks/port_mapping browsers measure "
        "measure/connectivity"
    ),
    "cli/networks": "terminal networks/model networks/traces",
    "cli": (
        "process resources certificate terminal audio audio/conversion audio_graph ice media "
        "media/playout mesh/connection signaling signaling/hub signaling/supabase mesh "
        "networks/model networks/traces networks/discovery networks/kernel networks/port_mapping "
        "browsers measure measure/latency measure/live_mesh measure/ensemble measure/browser "
        "measure/browser_networks "
        "measure/browser_acceptance measure/rig measure/sound_card measure/servers "
        "measure/connectivity "
        "measure/session_connectivity measure/connectivity_on_kernel "
        "measure/across_networks measure/acceptance measure/dump measure/dump/layouts "
        "measure/recording measure/sound_quality measure/playout report/page cli/machine "
        "cli/networks"
    ),
}
"""For each folder of the package the folders it may import from, which all precede it here."""
MOST_MODULES = 16
PAGES = {"jamlab/client/index.html", "tests/measure/browser/application.html"}
"""Web pages that are written by hand."""
PRIVATE_NAMES = {
    "audio/portaudio.py": {
        "sounddevice": "_exit_handler _ffi_string _initialize _initialized _terminate",
    },
    "media/ice_connection.py": {
        "aioice.ice.Connection": (
            "_check_list _closing _early_checks _early_checks_done _local_candidates _nominated "
            "_pair_remote_candidate _protocols _remote_candidates _transport_policy"
        ),
        "aioice.turn.TurnTransport": "_TurnTransport__inner_protocol _close",
    },
    "media/rtc.py": {
        "aiortc.rtcdtlstransport.RTCDtlsTransport": (
            "_RTCDtlsTransport__rx_bytes _RTCDtlsTransport__rx_packets "
            "_RTCDtlsTransport__tx_bytes _RTCDtlsTransport__tx_packets _rx_srtp _ssl _tx_srtp"
        ),
        "aiortc.rtcicetransport.RTCIceGatherer": "_connection",
        "aiortc.rtcicetransport.RTCIceTransport": "_connection _recv _send",
        "aiortc.rtcpeerconnection.RTCPeerConnection": "_RTCPeerConnection__certificates",
        "aiortc.rtcrtpreceiver.RTCRtpReceiver": (
            "_RTCRtpReceiver__codecs _RTCRtpReceiver__jitter_buffer "
            "_RTCRtpReceiver__remote_streams _enabled"
        ),
        "aiortc.rtcrtpsender.RTCRtpSender": (
            "_RTCRtpSender__mid _RTCRtpSender__ntp_timestamp _RTCRtpSender__octet_count "
            "_RTCRtpSender__packet_count _RTCRtpSender__rtp_header_extensions_map "
            "_RTCRtpSender__rtp_timestamp _enabled _next_encoded_frame _ssrc"
        ),
        "aiortc.rtcrtptransceiver.RTCRtpTransceiver": "_codecs",
    },
    "networks/simulated/loop.py": {
        "asyncio.base_events.BaseEventLoop": (
            "_asyncgens _check_closed _check_thread _closed _debug _ready _run_once _stopping "
            "_write_to_self"
        ),
        "asyncio.events.Handle": (
            "_args _callback _cancelled _context _loop _repr _run _source_traceback"
        ),
        "asyncio.events.TimerHandle": "_scheduled _when",
    },
    "signaling/supabase/connection.py": {
        "realtime._async.client.AsyncRealtimeClient": "_listen _ws_connection",
        "realtime._async.channel": "",
    },
}
"""For each module that uses private names of another package, the owners and their names."""
SPANNING = {
    "audio/test_card_capture.py",
    "browser/test_browser_peer.py",
    "browser/test_internals.py",
    "browser/test_lab.py",
    "browser/test_meters.py",
    "browser/test_notebooks.py",
    "browser/test_panel.py",
    "client/test_clicks.py",
    "client/test_in_order.py",
    "client/test_in_the_browser.py",
    "client/test_modules.py",
    "client/test_arrivals.py",
    "client/test_frame_cutter.py",
    "client/test_opus_stream.py",
    "client/test_own_playout.py",
    "client/test_peer_link.py",
    "client/test_playout.py",
    "client/test_redundancy.py",
    "client/test_shortfall.py",
    "client/test_watch.py",
    "media/agent/test_ipv6_on_kernel.py",
    "media/agent/test_mapped_ports.py",
    "measure/latency/test_floor.py",
    "measure/latency/test_skewed_cards.py",
    "measure/live_mesh/test_live_figures.py",
    "measure/servers/test_answers.py",
    "mesh/connection/test_recorded.py",
    "mesh/test_attacks.py",
    "mesh/test_chaos.py",
    "mesh/test_hostile.py",
    "mesh/test_connecting.py",
    "mesh/test_bad_servers.py",
    "mesh/test_live.py",
    "mesh/test_mapped_session.py",
    "mesh/test_mistakes.py",
    "mesh/test_replacing.py",
    "mesh/test_reports.py",
    "networks/kernel/test_links.py",
    "networks/kernel/test_packets.py",
    "networks/port_mapping/test_miniupnpd.py",
    "networks/turn/test_servers_interop.py",
    "notebooks/test_acceptance_tests.py",
    "notebooks/test_any_system.py",
    "notebooks/test_browser_latency.py",
    "notebooks/test_field_dump.py",
    "notebooks/test_first_look.py",
    "notebooks/test_jam_session.py",
    "notebooks/test_latency_across_networks.py",
    "notebooks/test_level_meters.py",
    "notebooks/test_loopback_latency.py",
    "notebooks/test_p2p_success_rate.py",
    "notebooks/test_playout.py",
    "notebooks/test_programs.py",
    "notebooks/test_sound_quality.py",
    "notebooks/test_stored.py",
    "report/page/test_pages.py",
    "signaling/test_contract.py",
    "test_bench.py",
    "test_document_examples.py",
    "test_documents.py",
    "test_examples.py",
    "test_mishaps.py",
    "test_no_network.py",
    "test_platforms.py",
    "test_project.py",
    "test_site.py",
}
"""Test files that mirror no module: each tests several modules, or something else."""


def requirement(text):
    name, _, bound = re.match(r"([\w-]+)(\[\w+\])?(.*)", text.replace(" ", "")).groups()
    return name, bound


def conda_requirements():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    return dict(requirement(text) for text in [*plain, *pip] if not text.startswith("-e"))


def test_conda_has_what_pip_has():
    conda = conda_requirements()
    python = conda.pop("python")
    del conda["pip"]
    assert python == PYPROJECT["project"]["requires-python"]
    wanted = dict(requirement(text) for text in PYPROJECT["project"]["dependencies"])
    assert conda == {CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()}


def test_the_citation_is_valid_cff():
    """It has the required keys of CFF 1.2.0, and agrees with pyproject.toml."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = PYPROJECT["project"]
    assert cited["cff-version"] == "1.2.0"
    assert all(isinstance(cited[key], str) and cited[key] for key in ("message", "title"))
    assert cited["authors"]
    for author in cited["authors"]:  # an entity has a name, a person one of the others
        assert {"name"} == author.keys() or {"family-names", "given-names"} & author.keys()
    assert cited["type"] in ("software", "dataset")
    assert (cited["title"], cited["license"]) == (project["name"], project["license"])
    assert cited["version"] == project["version"]
    assert cited["abstract"].rstrip(".") == project["description"]


def test_the_licence_is_the_one_that_pyproject_names():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith(f"{PYPROJECT['project']['license']} License")
    assert "the jamlab authors" in text


def tracked(pattern):
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: git clone the project to check what it tracks")
    return [ROOT / name for name in listed.stdout.split()]


def test_notebooks_are_stored_without_outputs():
    for path in tracked("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            assert cell.get("outputs", []) == [], path.name
            assert cell.get("execution_count") is None, path.name


def test_nothing_generated_is_tracked():
    """But for the example run, whose making data/README.md describes."""
    generated = [p for p in tracked("*") if p.suffix in {".html", ".parquet", ".pyc"}]
    generated = [path for path in generated if path.relative_to(ROOT).as_posix() not in PAGES]
    assert {path.parent for path in generated} <= {ROOT / "data" / "example"}


def test_every_name_of_the_package_is_there():
    for name in jamlab.__all__:
        assert getattr(jamlab, name)


def test_documents_refer_to_modules_that_exist():
    for document in [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for path in re.findall(
            r"`((?:tests|jamlab|process|ice|media|measure|audio|audio_graph|mesh|networks|signaling|report|widgets|cli|data)/[\w/]+(?:\.py)?)`",
            document.read_text(),
        ):
            places = [ROOT / path, ROOT / "jamlab" / path, ROOT / "jamlab" / f"{path}.py"]
            assert any(place.exists() for place in places), f"{document.name}: {path}"
        for module in re.findall(r"`(jamlab(?:\.\w+)+)`", document.read_text()):
            parts = module.split(".")
            place = ROOT.joinpath(*parts)
            assert place.exists() or place.with_suffix(".py").exists(), f"{document.name}: {module}"


def private_names(owners):
    """Return all names of a module's entry in the table; a module may be private, too."""
    words = [*" ".join(owners.values()).split(), *".".join(owners).split(".")]
    return {word for word in words if word.startswith("_")}


@pytest.mark.slow
def test_private_names_of_other_packages_are_those_of_the_table():
    package = ROOT / "jamlab"
    used = {path.relative_to(package).as_posix(): used_in(path, package) for path in files(package)}
    told = {module: private_names(owners) for module, owners in PRIVATE_NAMES.items()}
    assert {module: names for module, names in used.items() if names} == told


def files(package):
    return [path for path in package.rglob("*.py") if path.name != "__main__.py"]


def test_private_names_of_a_package_are_used_in_one_module():
    homes = [{owner.split(".")[0] for owner in owners} for owners in PRIVATE_NAMES.values()]
    assert all(len(packages) == 1 for packages in homes)
    assert len(set.union(*homes)) == len(homes)


@pytest.mark.parametrize("module", PRIVATE_NAMES)
def test_private_names_are_where_they_were(module):
    """When this fails, another package has moved a name that the module uses."""
    for owner, names in PRIVATE_NAMES[module].items():
        package = owner.split(".")[0]
        is_pythons = package in sys.stdlib_module_names
        version = sys.version.split()[0] if is_pythons else importlib.metadata.version(package)
        gone = missing(owner, names.split())
        assert not gone, (
            f"{package} {version} has no {owner} with {', '.join(gone)}, which jamlab/{module} "
            "uses: adapt that module, then the pin in pyproject.toml and environment.yml"
        )


@pytest.mark.parametrize("package", ["aioice", "aiortc", "realtime", "sounddevice"])
def test_a_package_whose_private_names_are_used_is_pinned_to_its_minor_version(package):
    assert any(package in owner for owners in PRIVATE_NAMES.values() for owner in owners)
    wanted = dict(requirement(text) for text in PYPROJECT["project"]["dependencies"])
    pin, installed = SpecifierSet(wanted[package]), Version(importlib.metadata.version(package))
    allowed = {
        minor
        for minor in range(installed.minor + 5)
        for micro in (0, 1, 99)
        if f"{installed.major}.{minor}.{micro}" in pin
    }
    assert installed in pin
    assert allowed == {installed.minor}, f"{package}{pin} allows others than {installed}"
    assert f"{installed.major + 1}.0.0" not in pin


def test_no_module_grows_out_of_hand():
    for path in (ROOT / "jamlab").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path.name


def test_a_process_that_only_carries_packets_loads_no_codec_and_no_table():
    """It is started for every link, so `jamlab` has to import its public names lazily."""
    script = (
        "import sys, jamlab.networks.model.link, jamlab\n"
        "print({'numpy', 'aiortc', 'pandas'} & set(sys.modules), hasattr(jamlab, 'nothing'))\n"
        "assert set(jamlab.__all__) <= set(dir(jamlab))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert told.split() == ["set()", "False"]


def test_imports_point_one_way():
    """A folder imports only from folders above it in the table of docs/architecture.md."""
    assert turned_round(MAY_IMPORT) == []
    assert wrong_imports(ROOT / "jamlab", MAY_IMPORT) == []


def test_every_folder_has_a_place():
    folders = {folder(name, ROOT / "jamlab") for name in modules(ROOT / "jamlab")}
    assert folders - {"", "__main__"} == set(MAY_IMPORT)


def test_no_folder_is_crowded():
    assert crowded(ROOT / "jamlab", MOST_MODULES) == []


def test_tests_mirror_the_package():
    assert set(without_a_module(ROOT / "tests", ROOT / "jamlab")) == SPANNING


class TestLayout:
    """The analysis of a small package whose module "floor" must not import "roof"."""

    BELOW: ClassVar = {"floor": "", "roof": "floor"}

    @pytest.fixture
    def package(self, tmp_path):
        files = {
            "kit/__init__.py": "",
            "kit/floor/__init__.py": "",
            "kit/floor/board.py": "import os\n",
            "kit/roof/__init__.py": "",
            "kit/roof/tile.py": "from kit.floor import board\n",
            "tests/floor/test_board.py": "",
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path / "kit"

    def test_a_sound_one_has_no_fault(self, package):
        assert arrows(package) == {("roof", "floor"): ["kit.roof.tile imports kit.floor.board"]}
        assert wrong_imports(package, self.BELOW) == turned_round(self.BELOW) == []
        assert crowded(package, 1) == []
        assert list(without_a_module(package.parent / "tests", package)) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "import kit.roof.tile",
            "import os, kit.roof.tile as above",
            "from kit.roof import tile",
            "from kit.roof.tile import clay",
            "from ..roof import tile",
            "from ..roof.tile import clay",
            "def late():\n    from kit.roof import tile",
            "if TYPE_CHECKING:\n    import kit.roof.tile",
        ],
    )
    def test_an_import_that_points_up_is_found(self, package, statement):
        (package / "floor" / "board.py").write_text(f"{statement}\n")
        assert wrong_imports(package, self.BELOW) == ["kit.floor.board imports kit.roof.tile"]

    @pytest.mark.parametrize("statement", ["from kit import roof", "from .. import roof"])
    def test_a_folder_as_a_whole_is_one_of_its_own(self, package, statement):
        (package / "floor" / "board.py").write_text(f"{statement}\n")
        assert wrong_imports(package, self.BELOW) == ["kit.floor.board imports kit.roof"]

    @pytest.mark.parametrize("statement", ["import kit", "from kit import clay"])
    def test_the_package_itself_is_above_all(self, package, statement):
        (package / "floor" / "board.py").write_text(f"{statement}\n")
        assert wrong_imports(package, self.BELOW) == ["kit.floor.board imports kit"]

    def test_a_circle_cannot_be_allowed(self):
        circle = {"floor": "roof", "roof": "floor"}
        assert turned_round(circle) == ["floor may import from roof"]

    def test_an_unknown_folder_may_import_nothing(self, package):
        (package / "loose.py").write_text("from kit.floor.board import nail\n")
        assert wrong_imports(package, self.BELOW) == ["kit.loose imports kit.floor.board"]

    def test_a_crowd_is_found(self, package):
        (package / "floor" / "carpet.py").touch()
        assert crowded(package, 1) == [str(Path("kit/floor: 2"))]

    def test_a_test_without_a_module_is_found(self, package):
        (package.parent / "tests" / "test_board.py").touch()
        assert list(without_a_module(package.parent / "tests", package)) == ["test_board.py"]


class TestPrivateNames:
    """The analysis of a small package that uses private names of another in every form."""

    @pytest.fixture
    def package(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "stranger.py").write_text(
            "_hidden = 1\n"
            "class Base:\n"
            "    def __init__(self):\n"
            "        self._kept = self.__deep = 0\n"
            "    def _step(self):\n"
            "        pass\n"
        )
        for module in ("stranger", "guest", "guest.part"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / "guest").mkdir()
        (tmp_path / "guest" / "__init__.py").touch()
        return tmp_path / "guest"

    @pytest.mark.parametrize(
        ("code", "name"),
        [
            ("import stranger\nprint(stranger._hidden)", "_hidden"),
            ("from stranger import _hidden", "_hidden"),
            ("from stranger import Base\ndef f(b: Base): return b._kept", "_kept"),
            ("from stranger import Base\ndef f(b: Base): b._step()", "_step"),
            ("def f(b): return getattr(b, '_Base__deep')", "_Base__deep"),
            ("NAME = '_Base__deep'\ndef f(b): setattr(b, NAME, 1)", "_Base__deep"),
            ("ONE, NAME = 'a', '_kept'\ndef f(b): return hasattr(b, NAME)", "_kept"),
            ("LOGGERS = ['stranger._loud.part']", "_loud"),
            ("from stranger import Base\nclass Own(Base):\n    def _step(self): ...", "_step"),
            (
                "from stranger import Base\nclass Own(Base):\n    def f(self): return self._kept",
                "_kept",
            ),
            ("from stranger import Base\nclass Own(Base):\n    _kept: int", "_kept"),
            (
                "from stranger import Base\nclass Own(Base):\n    def f(self): self._kept = 1",
                "_kept",
            ),
        ],
    )
    def test_a_use_is_found(self, package, code, name):
        (package / "part.py").write_text(f"{code}\n")
        assert used_in(package / "part.py", package) == {name}

    @pytest.mark.parametrize(
        "code",
        [
            "class Own:\n    def f(self, other): self._x = other._x",
            "from stranger import Base\nclass Own(Base):\n    def f(self): self._own = 1",
            "import os\ndef f(): os._exit(0)",
            "columns = [name + '_low' for name in ('a', 'b')]",
            "from stranger import Base\nclass Own(Base):\n    __slots__ = ()",
        ],
    )
    def test_what_is_ones_own_or_public_is_not(self, package, code):
        (package / "part.py").write_text(f"{code}\n")
        assert used_in(package / "part.py", package) == set()

    def test_a_name_that_moved_is_told(self, package):
        assert missing("stranger", ["_hidden", "_shown"]) == ["_shown"]
        base_s = "_kept", "_Base__deep", "_step", "_hidden", "__deep"
        assert missing("stranger.Base", base_s) == ["__deep", "_hidden"]
        assert missing("stranger.Gone", ["_kept"]) == ["_kept"]
        assert missing("nowhere.Base", ["_kept"]) == ["_kept"]
