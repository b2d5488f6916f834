"""Reader of ICE configuration files: TOML, a table for each configuration.

::

    ["my office"]
    policy = "all"                                   # or "relay"

    [["my office".servers]]
    urls = "turns:turn.example.org?transport=tcp"
    username = "jam"
    credential_env = "TURN_PASSWORD"                 # the variable with the credential

A credential comes from an environment variable and appears in no output. Only for servers of the
simulated networks, under ``.test`` (RFC 6761 §6.2), it may stand in the file. With ``secret_env``
in place of ``credential_env`` the variable holds the server's shared secret (coturn's
``static-auth-secret``), from which credentials for a day are derived when the file is read
(`jamlab.ice.time_limited`).
"""

import json
import re
import time
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from aiortc.rtcicetransport import parse_stun_turn_uri
from msgspec import Meta, Struct

from jamlab.fields import FieldError, read
from jamlab.ice.configuration import IceConfiguration, IceConfigurationError, IceServer, folded
from jamlab.ice.time_limited import time_limited
from jamlab.resources import data_path, read_small

T = TypeVar("T", bound=Struct)
Table: TypeAlias = dict[str, Any]

_SIMULATED = ".test"


class _Servers(Struct, forbid_unknown_fields=True):
    """A table of servers with the same credential, one server for each URL."""

    urls: str | Annotated[list[str], Meta(min_length=1)]
    username: str | None = None
    credential: str | None = None
    credential_env: str | None = None
    secret_env: str | None = None

    def __post_init__(self) -> None:
        self.urls = [self.urls] if isinstance(self.urls, str) else self.urls


class _Configuration(Struct, forbid_unknown_fields=True):
    """The table of a configuration."""

    policy: str = "all"
    servers: list[Table] = []
    """Each as `_Servers`."""


_ADVICE = {
    "": "write [{name}] above its fields",
    "policy": "choose all or relay",
    "servers": "write [[{name}.servers]] above the fields of each",
    "urls": "write the server's URL, or a list of URLs",
}


_TOML_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date",
    "datetime": "a date and time",
    "time": "a time",
}
"""The types of TOML, by their names in msgspec's messages."""


def embedded_configurations() -> dict[str, IceConfiguration]:
    """Return the configurations in jamlab's package, for the servers of the simulated networks."""
    return load_configurations(data_path("ice_configurations.toml"), {})


def load_configurations(
    path: Path, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> dict[str, IceConfiguration]:
    """Read a TOML file of configurations; return them by name, in the file's order.

    `environ` has the environment variables with the credentials, e.g. `os.environ`. `clock` returns
    Unix time, at which a day's validity of credentials derived from a secret begins. Raises
    `IceConfigurationError`, with file, line and field, if the file cannot be read or has a fault.

    Examples
    --------
    >>> from jamlab.resources import data_path
    >>> file = data_path("ice_servers.example.toml")
    >>> list(load_configurations(file, {"TURN_PASSWORD": "a secret word"}))
    ['mine, direct first', 'mine, relayed']
    """
    try:
        text = read_small(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        seen = getattr(error, "strerror", None) or error
        raise IceConfigurationError(f"{path} cannot be read: {seen}") from error
    return parse_configurations(text, environ, str(path), clock)


def load_configuration(
    path: Path, name: str | None, environ: Mapping[str, str]
) -> IceConfiguration:
    """Read one configuration of a file, by default the first; see `load_configurations`."""
    configurations = load_configurations(path, environ)
    chosen = name or next(iter(configurations))
    if chosen not in configurations:
        known = ", ".join(configurations)
        raise IceConfigurationError(f"{path} has no configuration {chosen!r}: choose {known}")
    return configurations[chosen]


def parse_configurations(
    text: str, environ: Mapping[str, str], source: str, clock: Callable[[], float] = time.time
) -> dict[str, IceConfiguration]:
    """Read configurations from TOML text; see `load_configurations`, whose file is `source`."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise IceConfigurationError(f"{source} is not valid TOML: {error}") from None
    if not tables:
        raise IceConfigurationError(f"{source} has no configuration: add a table, e.g. [mine]")
    if unprintable := [name for name in tables if not name.isprintable()]:
        raise IceConfigurationError(
            f"{source} has a configuration named {unprintable[0]!r}: leave out control characters"
        )
    reader = _Reader(text, tables, environ, source, clock)
    return {name: reader.configuration(name, table) for name, table in tables.items()}


class _Reader:
    """The conversion of a file's tables to configurations."""

    def __init__(
        self,
        text: str,
        names: Collection[str],
        environ: Mapping[str, str],
        source: str,
        clock: Callable[[], float],
    ) -> None:
        self._text = text
        self._names = names
        self._environ = environ
        self._source = source
        self._clock = clock

    def configuration(self, name: str, table: object) -> IceConfiguration:
        known = self._read(name, table, _Configuration)
        count = len(known.servers)
        servers = [each for n in range(count) for each in self._servers(name, known.servers, n)]
        try:
            return IceConfiguration(name, tuple(servers), known.policy)  # type: ignore[arg-type]
        except IceConfigurationError as error:
            raise self._error(name, str(error), "policy") from None

    def _read(self, name: str, table: Any, kind: type[T], before: Iterable[Table] = ()) -> T:
        try:
            return read(table, kind)
        except FieldError as error:
            key = place = error.path
            if error.fault == "unknown":
                fault = f"there is no field {key}: use {', '.join(kind.__struct_fields__)}"
            else:
                key = place = key.partition("[")[0]
                advice = _ADVICE.get(key, "write it in quotes").format(name=name)
                fault = f"{key}: {_in_toml(error.fault)}; {advice}".removeprefix(": ")
            if error.fault == "missing":  # another field of the table locates its line
                place = next(iter(table), "")
            raise self._error(name, fault, place, before) from None

    def _servers(self, name: str, tables: list[Table], number: int) -> Iterator[IceServer]:
        """Yield a server for each URL of a table."""
        before = islice(tables, number)  # read only for the line of an error
        table = self._read(name, tables[number], _Servers, before)
        username, credential = table.username, self._credential(name, table, before)
        if table.secret_env is not None and credential is not None:
            username, credential = time_limited(credential, username or "", self._clock())
        for url in table.urls:
            try:
                yield IceServer(url, username, credential)
            except IceConfigurationError as error:
                raise self._error(name, str(error), "urls", before, url) from None

    def _credential(self, name: str, table: _Servers, before: Iterable[Table]) -> str | None:
        """Return a table's credential, or the secret to derive it from."""
        keys = ("credential", "credential_env", "secret_env")
        given = [key for key in keys if getattr(table, key) is not None]
        if len(given) > 1:
            fault = f"{given[0]} and {given[1]} exclude each other: drop {given[0]}"
            raise self._error(name, fault, given[0], before)
        if table.credential is not None:
            if not all(map(_is_simulated, table.urls)):
                fault = (
                    "a credential does not belong in a file: set an environment variable to it "
                    "and name that in credential_env"
                )
                raise self._error(name, fault, "credential", before)
            return table.credential
        return self._from_environment(name, table, given[0], before) if given else None

    def _from_environment(
        self, name: str, table: _Servers, key: str, before: Iterable[Table]
    ) -> str:
        variable = getattr(table, key)
        if not self._environ.get(variable):
            # a credential written here by mistake must not be shown
            shown = variable if re.fullmatch("[A-Z_][A-Z0-9_]*", variable) else "a variable"
            kind = key.removesuffix("_env")
            fault = f"{key} names {shown}, which is not set: set it to the {kind}"
            raise self._error(name, fault, key, before)
        return self._environ[variable]

    def _error(
        self, name: str, fault: str, key: str = "", before: Iterable[Table] = (), value: str = ""
    ) -> IceConfigurationError:
        earlier = sum(key in table for table in before)
        line = _Lines(self._text, self._names).number(name, key, earlier, value)
        return IceConfigurationError(f"{self._source}, line {line}, {name}: {fault}")


def _in_toml(fault: str) -> str:
    """Return a fault of a type in the words of TOML instead of JSON's."""
    return re.sub(r"`([a-z |]+)`", lambda found: _types_in_words(found[1]), fault)


def _types_in_words(types: str) -> str:
    named = (each for each in types.split(" | ") if each != "null")  # TOML has no null
    return " or ".join(_TOML_WORDS.get(each, each) for each in named)


def _is_simulated(url: str) -> bool:
    try:
        host = str(parse_stun_turn_uri(folded(url))["host"])
    except ValueError:
        return False
    return host.lower().endswith(_SIMULATED)


class _Lines:
    """Line numbers of fields, found by the syntax of TOML, for `tomllib` does not give them."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self._lines = [_BESIDE_COMMENT.match(line)[0] for line in text.split("\n")]  # type: ignore[index]
        self._owners = list(self._owned_by({form: name for name in names for form in _forms(name)}))

    def number(self, name: str, key: str, earlier: int, value: str) -> int:
        """Return the line of a configuration's field, or the first line of the configuration.

        Of fields with the same key, the first `earlier` are skipped. If the field's value spans
        several lines, the result is the first line that contains `value`.
        """
        own = [n for n, owner in enumerate(self._owners) if owner == name] or [0]
        field_re = _field(key)
        found = [n for n in own for _ in field_re.finditer(_without_values(self._lines[n]))]
        line = found[earlier] if key and earlier < len(found) else own[0]
        return 1 + next((n for n in own if n >= line and value in self._lines[n]), line)

    def _owned_by(self, names: dict[str, str]) -> Iterator[str | None]:
        """Yield the configuration of each line; `names` has them by each form of their keys."""
        owner, at_root = None, True
        for line in self._lines:
            is_header = line.lstrip().startswith("[")
            if (is_header or at_root) and (found := _HEADER.match(line)):
                owner = names.get(found[1], owner)
            at_root = at_root and not is_header
            yield owner


_BESIDE_COMMENT = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^#])*""")


_HEADER = re.compile(r"""\s*\[*\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'\].=]+)\s*[\].=]""")


def _forms(name: str) -> tuple[str, ...]:
    """Return a name as TOML's bare, basic and literal key."""
    return name, json.dumps(name, ensure_ascii=False), f"'{name}'"


def _field(key: str) -> re.Pattern[str]:
    """Return a pattern for a key: before its value, in a header, or first in a dotted key."""
    quoted = rf"[\"']?{re.escape(key)}[\"']?\s*"
    return re.compile(rf"(?<![\w-]){quoted}=|\.\s*{quoted}[.\]]|^\s*{quoted}\.")


def _without_values(line: str) -> str:
    """Return a line without its quoted values, but with its quoted keys."""
    return _QUOTED.sub(lambda found: found[0] if found[1] else "", line)


_QUOTED = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')(\s*[=.\]])?""")
