"""Conversion of decoded JSON or TOML to msgspec types, with errors that name the field."""

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
    """A value does not have its type; the message names the field and the fault."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"field {path!r}: {fault}" if path else fault)
        self.path = path
        """The field's place, e.g. ``servers[1].urls``; empty for the object itself."""
        self.fault = fault
        """The fault, without the field's name."""


def read(value: object, kind: type[T]) -> T:
    """Convert a decoded JSON or TOML value to a type that `msgspec.convert` supports.

    Raises `FieldError` if the value does not have that type.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _field_error(str(error)) from None
    except UnicodeEncodeError:  # half a surrogate pair in a field's name or an enum's value
        raise FieldError("", "has text that is not Unicode") from None


def _field_error(text: str) -> FieldError:
    """Return msgspec's error with the path separate; the text is cut, for it may quote values."""
    found = _ERROR.fullmatch(text)
    assert found
    path = found["path"] or ""
    if found["name"] is not None:
        return FieldError(f"{path}.{found['name']}".lstrip("."), found["how"])
    fault = found["fault"][:_MOST_CHARS]
    return FieldError(path, fault[:1].lower() + fault[1:])
