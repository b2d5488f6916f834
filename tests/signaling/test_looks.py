import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.signaling.looks import can_be_seen, look
from tests.examples import examples

NAMES = [
    "ada",
    "Ada Lovelace",
    "Анна",
    "Ελένη",
    "محمد",
    "かな",
    "李",
    "José",
    "ada 2",
    "🎸",
    "👩‍🎤",
]


@pytest.mark.parametrize(
    "name", [*NAMES, "می‌خواهم", "Jean\u00a0Paul", "नमस्ते", "👨‍👩‍👧", "\U000f0000"]
)
def test_names_of_people_can_be_seen(name):
    assert can_be_seen(name)


@pytest.mark.parametrize(
    "code", [*range(32), 127, *range(0x80, 0xA0), 0x2028, 0x2029, 0xD800, 0xDFFF]
)
def test_control_characters_cannot(code):
    assert not can_be_seen(f"ada{chr(code)}")


@pytest.mark.parametrize("code", [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_characters_that_change_the_direction_cannot(code):
    assert unicodedata.bidirectional(chr(code)) in [
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    ]
    assert not can_be_seen(f"ada{chr(code)}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u00a0",
        "\u200b",
        "\u200d\u200c",
        "\u2800",
        "\u3164",
        "\u115f \ufeff",
        "\u3000",
        "\ufe0f",
    ],
)
def test_a_blank_name_cannot(name):
    assert look(name) == ""
    assert not can_be_seen(name)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ada", "аda"),  # U+0430, Cyrillic
        ("ada", "adа"),
        ("ada", "ada "),
        ("ada", " ada"),
        ("ada", "ada\u00a0"),
        ("ada", "ada\u3000"),
        ("ada", "a\u200bda"),
        ("ada", "ada\u200d"),
        ("ada", "ad\u00ada"),
        ("ada", "ada\u3164"),
        ("ada", "ａｄａ"),
        ("ada", "𝐚𝐝𝐚"),
        ("José", "Jose\u0301"),
        ("Zoë", "Zoё"),
        ("Ada Lovelace", "Ada  Lovelace"),
        ("Ada Lovelace", "Ada\u00a0Lovelace"),
        ("АННА", "AHHA"),
        ("ΑΝΝΑ", "ANNA"),
        ("ᎪᎠᎪ", "ADA"),
        ("ꓮꓓꓮ", "ADA"),
        ("Paul", "PauI"),
        ("Paul", "Pau1"),
        ("Bob", "В\u043eb"),
        ("B0B", "BOB"),
        ("Ernie", "Emie"),
        ("Anne-Marie", "Anne–Marie"),
        ("O'Neill", "O’Neill"),
    ],
)
def test_names_that_look_alike(name, other):
    assert name != other
    assert look(name) == look(other)


def test_names_that_do_not():
    assert (
        len(set(map(look, [*NAMES, "Ada", "ADA", "ada 3", "adá", "ad a", "ben"]))) == len(NAMES) + 6
    )


@pytest.mark.slow
@examples(100)
@given(st.text(max_size=20), st.sampled_from([" ", "\u200d", "\ufe0f", "\u3164", "\u2800"]))
def test_what_cannot_be_seen_at_the_end_changes_no_look(name, tail):
    assert look(name + tail) == look(name)


@examples(100)
@given(st.text(max_size=20))
def test_canonically_equivalent_names_look_alike(name):
    assert look(unicodedata.normalize("NFC", name)) == look(unicodedata.normalize("NFD", name))
