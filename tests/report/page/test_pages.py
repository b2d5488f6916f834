"""The reader of pages finds what it looks for, so its silence means something."""

import base64

import pytest

from tests.report.page.pages import Page

OUTSIDE = "https://cdn.example/x"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg"><image xlink:href="{OUTSIDE}"/></svg>'


@pytest.mark.parametrize(
    "text",
    [
        f'<script src="{OUTSIDE}"></script>',
        f'<link rel="stylesheet" href="{OUTSIDE}">',
        f'<img src="{OUTSIDE}">',
        f"<style>body {{ background: url('{OUTSIDE}') }}</style>",
        f'<style>@import "{OUTSIDE}";</style>',
        f'<p style="background: url({OUTSIDE})">x</p>',
        f'<form action="{OUTSIDE}"></form>',
        f'<img src="data:image/svg+xml;base64,{base64.b64encode(SVG.encode()).decode()}">',
    ],
)
def test_an_address_is_found_wherever_it_hides(text):
    assert Page(text).addresses == [OUTSIDE]


def test_an_address_without_a_scheme_is_one_too():
    assert Page('<img src="//cdn.example/x.png">').addresses == ["//cdn.example/x.png"]


def test_names_and_what_the_page_holds_are_no_addresses():
    text = '<svg xmlns="http://www.w3.org/2000/svg"><use href="#a"/></svg><img src="data:,x">'
    assert Page(text).addresses == []
