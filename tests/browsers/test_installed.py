"""Tests of jamlab.browsers.installed."""

import pytest

from jamlab.browsers.installed import INSTALL, NAMES, Browser, BrowserError, installed, version_of


def program(folder, name, prints):
    """Write a program that prints something, and return its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_is_found_by_its_name(tmp_path, name):
    path = program(tmp_path, name, "Some Browser 156.0.8078.73 built on Debian")
    found = installed(name, lambda _: path)
    assert found == Browser(name, path, "156.0.8078.73")
    assert found.title == f"{name.capitalize()} 156.0.8078.73"


def test_without_a_name_the_first_that_is_installed_is_taken(tmp_path):
    edge = program(tmp_path, "microsoft-edge", "Microsoft Edge 140.0.1.2")
    assert installed(which={"microsoft-edge": edge}.get).name == "edge"


def test_without_a_browser_the_install_line_is_told():
    with pytest.raises(BrowserError, match=INSTALL):
        installed(which=lambda _: None)


@pytest.mark.parametrize(
    ("name", "prints", "words"),
    [
        ("opera", "", "there is no browser 'opera' to drive: choose chromium"),
        ("chrome", "Google Chrome 92.0.1", "Chrome 92.0.1 is too old: install version"),
        ("chrome", "<script>", "prints no version"),
    ],
)
def test_a_browser_that_cannot_be_used_is_told(tmp_path, name, prints, words):
    path = program(tmp_path, "some", prints)
    with pytest.raises(BrowserError, match=words):
        installed(name, lambda _: path)


def test_a_program_that_does_not_start_is_told(tmp_path):
    with pytest.raises(BrowserError, match="does not start"):
        version_of(str(tmp_path / "nowhere"))


def test_a_program_may_say_anything_in_any_encoding(tmp_path):
    path = tmp_path / "browser"
    path.write_bytes(b"#!/bin/sh\nprintf 'Navigateur \\351 150.0.1'\n")
    path.chmod(0o755)
    assert version_of(str(path)) == "150.0.1"
    path.write_bytes(b"#!/bin/sh\nprintf '\\351'\n")
    with pytest.raises(BrowserError, match="prints no version"):
        version_of(str(path))
