"""The project's own promises: what the files say of each other is true."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

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

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"sounddevice": "python-sounddevice"}
MAY_IMPORT = {
    "process": "",
    "resources": "",
    "audio": "process",
    "ice": "resources",
    "media": "audio",
    "media/playout": "audio media",
    "mesh/connection": "audio media media/playout",
    "signaling": "",
    "signaling/hub": "signaling",
    "signaling/supabase": "signaling",
    "mesh": "audio ice media media/playout mesh/connection signaling",
    "networks": "",
    "networks/model": "resources",
    "networks/stun": "networks/model",
    "networks/turn": "networks/model networks/stun",
    "networks/discovery": "networks/model networks/stun",
    "networks/simulated": "networks/model",
    "networks/kernel": "process networks/model networks/discovery",
    "measure": "process media",
    "measure/latency": "process audio media media/playout mesh/connection signaling mesh measure",
    "measure/live_mesh": (
        "process audio ice media media/playout mesh/connection signaling mesh "
        "measure measure/latency"
    ),
    "measure/sound_card": "audio measure measure/latency",
    "measure/servers": "ice networks/model networks/turn",
    "measure/connectivity": (
        "process resources ice media networks/model networks/stun "
        "networks/turn networks/simulated measure measure/servers"
    ),
    "measure/connectivity_on_kernel": (
        "process ice networks/model networks/kernel measure measure/connectivity"
    ),
    "measure/across_networks": (
        "process ice signaling/hub signaling/supabase networks/model "
        "networks/simulated networks/kernel measure measure/latency "
        "measure/live_mesh"
    ),
    "measure/acceptance": (
        "process audio ice media signaling mesh networks/model "
        "networks/turn networks/simulated measure measure/latency "
        "measure/connectivity measure/across_networks"
    ),
    "report": "",
    "report/page": "process resources measure measure/latency measure/connectivity",
    "report/latency": "audio media measure measure/latency measure/sound_card report/page",
    "report/live_mesh": (
        "audio mesh/connection signaling mesh measure/latency measure/live_mesh report/page"
    ),
    "report/across_networks": (
        "networks/model measure measure/latency measure/across_networks report/page report/latency"
    ),
    "report/connectivity": (
        "measure measure/servers measure/connectivity measure/connectivity_on_kernel report/page"
    ),
    "report/acceptance": (
        "measure measure/latency measure/across_networks measure/acceptance "
        "report/page report/latency"
    ),
    "widgets": "audio media mesh/connection mesh",
    "cli": (
        "process audio ice media mesh/connection signaling signaling/hub "
        "signaling/supabase mesh networks/model networks/discovery "
        "networks/kernel measure measure/latency measure/live_mesh "
        "measure/sound_card measure/servers measure/connectivity "
        "measure/connectivity_on_kernel measure/across_networks "
        "measure/acceptance report/page"
    ),
}
"""For each folder of the package those it may import from; a folder stands below them all."""
MOST_MODULES = 15
SPANNING = {
    "audio/test_card_capture.py",
    "browser/test_lab.py",
    "browser/test_meters.py",
    "browser/test_notebooks.py",
    "browser/test_panel.py",
    "measure/latency/test_floor.py",
    "measure/latency/test_skewed_cards.py",
    "measure/live_mesh/test_live_figures.py",
    "mesh/test_attacks.py",
    "mesh/test_chaos.py",
    "mesh/test_live.py",
    "mesh/test_mistakes.py",
    "mesh/test_replacing.py",
    "mesh/test_reports.py",
    "networks/kernel/test_links.py",
    "networks/kernel/test_packets.py",
    "networks/turn/test_servers_interop.py",
    "notebooks/test_acceptance_tests.py",
    "notebooks/test_jam_session.py",
    "notebooks/test_latency_across_networks.py",
    "notebooks/test_level_meters.py",
    "notebooks/test_loopback_latency.py",
    "notebooks/test_p2p_success_rate.py",
    "notebooks/test_stored.py",
    "report/page/test_pages.py",
    "signaling/test_contract.py",
    "test_bench.py",
    "test_mishaps.py",
    "test_no_network.py",
    "test_project.py",
}
"""Test files that mirror no module: each is about several, or about what is no module."""


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
    """It has the required keys of CFF 1.2.0, and says what pyproject.toml says."""
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
    assert [p for p in tracked("*") if p.suffix in {".html", ".parquet", ".pyc"}] == []


def test_every_name_of_the_package_is_there():
    for name in jamlab.__all__:
        assert getattr(jamlab, name)


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(
        re.findall(r"(?:^|`)make ([a-z][\w-]*)", (ROOT / "README.md").read_text(), re.M)
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_documents_refer_to_modules_that_exist():
    for document in [*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for path in re.findall(
            r"`((?:tests|jamlab|process|ice|media|measure|audio|mesh|networks|signaling|report|widgets|cli|data)/[\w/]+(?:\.py)?)`",
            document.read_text(),
        ):
            places = [ROOT / path, ROOT / "jamlab" / path, ROOT / "jamlab" / f"{path}.py"]
            assert any(place.exists() for place in places), f"{document.name}: {path}"
        for module in re.findall(r"`(jamlab(?:\.\w+)+)`", document.read_text()):
            parts = module.split(".")
            place = ROOT.joinpath(*parts)
            assert place.exists() or place.with_suffix(".py").exists(), f"{document.name}: {module}"


def test_private_names_of_aiortc_are_touched_in_one_module():
    for path in (ROOT / "jamlab").rglob("*.py"):
        if path.name != "rtc.py":
            assert "_RTCRtp" not in path.read_text(), path


def test_no_module_grows_out_of_hand():
    for path in (ROOT / "jamlab").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path.name


def test_a_process_that_only_carries_packets_loads_no_codec_and_no_table():
    """It is started for every link; what the package's names stand for comes when it is asked."""
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
    """docs/architecture.md: a folder imports only from folders that stand above it."""
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
    """What is found in a small package whose floor must not know of its roof."""

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
