"""Data files, in a checkout and in an installed wheel."""

import tomllib
from pathlib import Path

import pytest

from jamlab import resources
from jamlab.resources import client_folder, data_path

ROOT = Path(__file__).parent.parent


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package as installed from a wheel: data inside, and another project's folder next to it."""
    package = tmp_path / "jamlab"
    for folder in (package / "data", tmp_path / "data"):
        folder.mkdir(parents=True)
        (folder / "both.csv").write_text(folder.parent.name)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    return package


DATA = ROOT / "data"
FILES = sorted(path for path in DATA.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_of_a_checkout_is_found_and_described(path):
    name = path.relative_to(DATA)
    assert data_path(name.as_posix()) == path
    assert path.name == "README.md" or f"`{name.parts[0]}`" in (DATA / "README.md").read_text()


def test_an_installed_package_has_its_own(installed):
    assert data_path("both.csv") == installed / "data" / "both.csv"


@pytest.mark.parametrize("name", ["none.csv", "", "."])
def test_what_is_not_there(name):
    with pytest.raises(FileNotFoundError) as caught:
        data_path(name)
    assert str(caught.value) == f"jamlab has no data file {name!r}: reinstall jamlab"


def test_the_wheel_puts_them_where_they_are_looked_for():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert wheel["targets"]["wheel"]["force-include"]["data"] == "jamlab/data"


def test_the_client_s_page_is_in_the_package_and_so_in_a_wheel():
    assert (client_folder() / "index.html").is_file()
    assert client_folder().parent == ROOT / "jamlab"
