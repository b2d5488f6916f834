"""How names look to people: which names can be seen at all, and which cannot be told apart.

The look of a name is a skeleton after UTS #39, section 4: two names that look alike have the same.
The letters are those of the scripts that have nearly all of Latin's: Cyrillic, Greek, Armenian,
Cherokee and Lisu. Capitals and small letters differ.
"""

import re
import unicodedata
from functools import lru_cache

_FORBIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""The characters that override, embed or isolate a direction of writing (UAX #9, section 2)."""

_FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}

# Default_Ignorable_Code_Point without category Cf
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)

_ALIKE = {
    "a": "аɑα",
    "c": "сᴄ",
    "d": "ԁꓒᏧ",
    "e": "еҽ",
    "g": "ɡց",
    "h": "һհᏂ",
    "i": "іıɩɪιᎥ",
    "j": "ј",
    "k": "κкᴋ",
    "l": "I1|ӀӏІΙǀꓲⵏ",
    "n": "ոռ",
    "o": "оοσօᴏ",
    "p": "рρ",
    "q": "ԛգզ",
    "r": "гᴦ",
    "s": "ѕꜱ",
    "u": "υսᴜ",
    "v": "νѵᴠ",
    "w": "ѡԝաᴡ",
    "x": "хχ×",
    "y": "уγүʏ",
    "z": "ᴢ",
    "A": "АΑᎪꓮ",
    "B": "ВΒᏴꓐ",
    "C": "СᏟꓚ",
    "D": "Ꭰꓓ",
    "E": "ЕΕᎬꓰⴹ",
    "F": "Ϝꓝ",
    "G": "ԌᏀᏳꓖ",
    "H": "НΗᎻꓧ",
    "J": "ЈͿᎫꓙ",
    "K": "КΚᏦꓗ",
    "L": "Ꮮꓡ",
    "M": "МΜϺᎷꓟ",
    "N": "Νꓠ",
    "O": "0ОΟՕꓳⵔ",
    "P": "РΡᏢꓑ",
    "Q": "Ԛ",
    "R": "ᎡᏒꓣ",
    "S": "ЅՏᏕᏚꓢ",
    "T": "ТΤᎢꓔ",
    "U": "Սꓴ",
    "V": "ѴᏙꓦ",
    "W": "ԜᎳᏔꓪ",
    "X": "ХΧꓫ",
    "Y": "ҮΥУᎽᎩꓬ",
    "Z": "ΖᏃꓜ",
    "-": "‐‑‒–—―−",
    "'": "‘’‛ʼʹ`´′",
    " ": "\u2800",
}
_LETTERS = str.maketrans({letter: latin for latin, letters in _ALIKE.items() for letter in letters})


def can_be_seen(name: str) -> bool:
    """Return whether a name is not blank, and has no control or bidirectional-override character.

    Such characters would change the text around the name; half a surrogate pair is no character.
    """
    categories = set(map(unicodedata.category, name))
    return not (_FORBIDDEN_CATEGORIES & categories or _FORBIDDEN.search(name)) and bool(look(name))


@lru_cache(maxsize=1024)
def look(name: str) -> str:
    """Return how a name looks: the same for names that look alike, empty for one that is blank."""
    visible = (c for c in _IGNORABLE.sub("", name) if unicodedata.category(c) != "Cf")
    plain = unicodedata.normalize("NFKD", "".join(visible)).translate(_LETTERS)
    return " ".join(plain.split()).replace("rn", "m")
