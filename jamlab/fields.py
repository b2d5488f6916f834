"""Objects decoded from JSON or TOML, read as msgspec types; an error names the field."""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_MOST_CHARS = 100
_ERROR = re.compile(
    r"(?:Object (?:contains )?(?P<how>missing|unknown)(?: required)? field `(?P<name>.*?)`"
    r"|(?P<fault>.*?))"
    r"(?: - at (?:`key` in )?`\$\.?(?P<path>.*)`)?",
    re.DOTALL,
)


class FieldError(ValueError):
    """An object that is not of its type; says which field is wrong, and how."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"field {path!r}: {fault}" if path else fault)
        self.path = path
        """Where the field is, e.g. ``servers[1].urls``; empty for the object itself."""
        self.fault = fault
        """What is wrong with it."""


def read(value: object, kind: type[T]) -> T:
    """Return a decoded value as a msgspec type.

    Parameters
    ----------
    value : object
        Anything that a decoder of JSON or TOML returns.
    kind : type
        What it has to be: a `msgspec.Struct` or any type that `msgspec.convert` knows.

    Raises
    ------
    FieldError
        It is not.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _field_error(str(error)) from None
    except UnicodeEncodeError:  # names of fields and values of enums, of halves of surrogate pairs
        raise FieldError("", "has text that is not Unicode") from None


def _field_error(text: str) -> FieldError:
    """Return msgspec's error with its path and its words apart; what it quotes may be long."""
    found = _ERROR.fullmatch(text)
    assert found
    path = found["path"] or ""
    if found["name"] is not None:
        return FieldError(f"{path}.{found['name']}".lstrip("."), found["how"])
    fault = found["fault"][:_MOST_CHARS]
    return FieldError(path, fault[:1].lower() + fault[1:])
