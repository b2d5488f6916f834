"""The project's own promises: what the files say of each other is true."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import jamlab

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"sounddevice": "python-sounddevice"}


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
            r"`((?:tests|jamlab|media|measure|audio|mesh|networks|data)/[\w/]+(?:\.py)?)`",
            document.read_text(),
        ):
            places = [ROOT / path, ROOT / "jamlab" / path, ROOT / "jamlab" / f"{path}.py"]
            assert any(place.exists() for place in places), f"{document.name}: {path}"
        for module in re.findall(r"`(jamlab(?:\.\w+)+)`", document.read_text()):
            parts = module.split(".")
            place = ROOT.joinpath(*parts)
            assert place.exists() or place.with_suffix(".py").exists(), f"{document.name}: {module}"


def test_imports_point_one_way():
    """docs/architecture.md: a room imports only from itself and from those above it."""
    rooms = [
        "audio",
        "ice",
        "measure",
        "media",
        "mesh",
        "networks",
        "process",
        "report",
        "signaling",
        "widgets",
    ]
    allowed = {
        "audio": {"audio", "process", "whole"},
        "networks": {"data_files", "networks", "process", "resources", "whole"},
        "media": {"audio", "media", "process", "whole"},
        "signaling": {"process", "signaling", "whole"},
        "mesh": {
            "audio",
            "data_files",
            "ice",
            "media",
            "mesh",
            "process",
            "resources",
            "signaling",
            "whole",
        },
        "measure": {
            "audio",
            "data_files",
            "ice",
            "measure",
            "media",
            "mesh",
            "networks",
            "process",
            "resources",
            "signaling",
            "whole",
        },
        "report": {
            "resources",
            "audio",
            "ice",
            "measure",
            "media",
            "mesh",
            "networks",
            "process",
            "report",
            "signaling",
            "whole",
        },
        "widgets": {
            "audio",
            "ice",
            "measure",
            "media",
            "mesh",
            "networks",
            "process",
            "signaling",
            "whole",
            "widgets",
        },
        "process": {"process", "whole"},
        "ice": {"data_files", "ice", "process", "resources", "whole"},
    }
    for room in rooms:
        for path in (ROOT / "jamlab" / room).rglob("*.py"):
            used = set(re.findall(r"^\s*from jamlab\.(\w+)", path.read_text(), re.MULTILINE))
            assert used <= allowed[room], f"{path.name} imports {used - allowed[room]}"


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
