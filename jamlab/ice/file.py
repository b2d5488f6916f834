"""Files of ICE configurations: TOML, a table per configuration.

::

    ["my office"]
    policy = "all"                                   # or "relay"

    [["my office".servers]]
    urls = "turns:turn.example.org?transport=tcp"
    username = "jam"
    credential_env = "TURN_PASSWORD"                 # the variable that holds it

A credential comes from the environment and is shown nowhere. Only for the simulated internet's own
servers, under ``.test`` (RFC 6761 §6.2), may it stand in the file. With ``secret_env`` in place of
``credential_env`` the variable holds the secret a server shares (coturn's ``static-auth-secret``),
of which credentials for a day are made when the file is read (`jamlab.ice.time_limited`).
"""

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from aiortc.rtcicetransport import parse_stun_turn_uri

from jamlab.ice.configuration import IceConfiguration, IceConfigurationError, IceServer
from jamlab.ice.time_limited import time_limited
from jamlab.resources import data_path

Table: TypeAlias = dict[str, Any]

_SERVER_FIELDS = ("urls", "username", "credential", "credential_env", "secret_env")
_FIELDS = ("policy", "servers")
_SIMULATED = ".test"


def embedded_configurations() -> dict[str, IceConfiguration]:
    """Return the configurations that come with jamlab, for the simulated internet's servers."""
    return load_configurations(data_path("ice_configurations.toml"), {})


def load_configurations(
    path: Path, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> dict[str, IceConfiguration]:
    """Read a file of configurations.

    Parameters
    ----------
    path : Path
        A TOML file.
    environ : mapping of str to str
        Where credentials are, e.g. `os.environ`.
    clock : callable
        Tells Unix time, from which credentials made of a secret are good for a day.

    Returns
    -------
    dict
        Configurations by name, in the file's order.

    Raises
    ------
    IceConfigurationError
        Names the file, the line and the field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        seen = getattr(error, "strerror", None) or error
        raise IceConfigurationError(f"{path} cannot be read: {seen}") from error
    return parse_configurations(text, environ, str(path), clock)


def parse_configurations(
    text: str, environ: Mapping[str, str], source: str, clock: Callable[[], float] = time.time
) -> dict[str, IceConfiguration]:
    """Read configurations from TOML; parameters, result and errors as of `load_configurations`."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise IceConfigurationError(f"{source} is no TOML: {error}") from None
    if not tables:
        raise IceConfigurationError(f"{source} has no configuration: add a table, e.g. [mine]")
    reader = _Reader(_Lines(text, tables), environ, source, clock)
    return {name: reader.configuration(name, table) for name, table in tables.items()}


class _Reader:
    """Makes configurations of tables."""

    def __init__(
        self,
        lines: "_Lines",
        environ: Mapping[str, str],
        source: str,
        clock: Callable[[], float],
    ) -> None:
        self._lines = lines
        self._environ = environ
        self._source = source
        self._clock = clock

    def configuration(self, name: str, table: Any) -> IceConfiguration:
        if not isinstance(table, dict):
            raise self._error(name, f"it is no table: write [{name}] above its fields")
        self._only(name, table, _FIELDS)
        servers = table.get("servers", [])
        if not (isinstance(servers, list) and all(isinstance(each, dict) for each in servers)):
            fault = f"servers is no list of tables: write [[{name}.servers]]"
            raise self._error(name, fault, "servers")
        made = [each for n in range(len(servers)) for each in self._servers(name, servers, n)]
        try:
            return IceConfiguration(name, tuple(made), table.get("policy", "all"))
        except IceConfigurationError as error:
            raise self._error(name, str(error), "policy") from None

    def _servers(self, name: str, tables: list[Table], number: int) -> Iterator[IceServer]:
        """Yield a server for each URL of a table."""
        table, before = tables[number], tables[:number]
        self._only(name, table, _SERVER_FIELDS, before)
        urls = table.get("urls")
        urls = [urls] if isinstance(urls, str) else urls
        if not (isinstance(urls, list) and urls and all(isinstance(url, str) for url in urls)):
            fault = "urls is no text or list of texts: write the server's URL"
            raise self._error(
                name, fault, "urls" if "urls" in table else next(iter(table), ""), before
            )
        username = self._text(name, table, "username", before)
        credential = self._credential(name, table, urls, before)
        if "secret_env" in table and credential is not None:
            username, credential = time_limited(credential, username or "", self._clock())
        for url in urls:
            try:
                yield IceServer(url, username, credential)
            except IceConfigurationError as error:
                raise self._error(name, str(error), "urls", before, url) from None

    def _credential(
        self, name: str, table: Table, urls: list[str], before: list[Table]
    ) -> str | None:
        """Return a table's credential, or the secret it is to be made of."""
        literal = self._text(name, table, "credential", before)
        given = [key for key in ("credential", "credential_env", "secret_env") if key in table]
        if len(given) > 1:
            fault = f"{given[0]} and {given[1]} are both there: drop {given[0]}"
            raise self._error(name, fault, given[0], before)
        if literal is not None:
            if not all(map(_is_simulated, urls)):
                fault = "a credential does not belong in a file: name its variable, credential_env"
                raise self._error(name, fault, "credential", before)
            return literal
        return self._from_environment(name, table, given[0], before) if given else None

    def _from_environment(self, name: str, table: Table, key: str, before: list[Table]) -> str:
        variable = self._text(name, table, key, before) or ""
        if not self._environ.get(variable):
            # a credential put here by mistake is not to be repeated
            shown = variable if re.fullmatch("[A-Z_][A-Z0-9_]*", variable) else "a variable"
            what = key.removesuffix("_env")
            fault = f"{key} names {shown}, which is not set: set it to the {what}"
            raise self._error(name, fault, key, before)
        return self._environ[variable]

    def _text(self, name: str, table: Table, key: str, before: list[Table]) -> str | None:
        value = table.get(key)
        if value is not None and not isinstance(value, str):
            fault = f"{key} is no text but {type(value).__name__}: write it in quotes"
            raise self._error(name, fault, key, before)
        return value

    def _only(
        self, name: str, table: Table, known: tuple[str, ...], before: Sequence[Table] = ()
    ) -> None:
        for key in table:
            if key not in known:
                fault = f"there is no field {key}: use {', '.join(known)}"
                raise self._error(name, fault, key, before)

    def _error(
        self, name: str, fault: str, key: str = "", before: Sequence[Table] = (), value: str = ""
    ) -> IceConfigurationError:
        line = self._lines.number(name, key, sum(key in table for table in before), value)
        return IceConfigurationError(f"{self._source}, line {line}, {name}: {fault}")


def _is_simulated(url: str) -> bool:
    try:
        host = str(parse_stun_turn_uri(url)["host"])
    except ValueError:
        return False
    return host.endswith(_SIMULATED)


class _Lines:
    """Where a field stands, which `tomllib` does not tell: found by what TOML looks like."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self._lines = [_BESIDE_COMMENT.match(line)[0] for line in text.split("\n")]  # type: ignore[index]
        self._owners = list(self._owned_by({name: _header(name) for name in names}))

    def number(self, name: str, key: str, earlier: int, value: str) -> int:
        """Return the line of a configuration's field, or where the configuration begins.

        Of fields with the same key, `earlier` are skipped. Where the field's value goes on for
        several lines, it is the first that has `value` in it.
        """
        own = [n for n, owner in enumerate(self._owners) if owner == name] or [0]
        field_re = _field(key)
        found = [n for n in own for _ in field_re.finditer(_without_values(self._lines[n]))]
        line = found[earlier] if key and earlier < len(found) else own[0]
        return 1 + next((n for n in own if n >= line and value in self._lines[n]), line)

    def _owned_by(self, headers: dict[str, re.Pattern[str]]) -> Iterator[str | None]:
        """Yield the configuration each line belongs to."""
        owner, at_root = None, True
        for line in self._lines:
            is_header = line.lstrip().startswith("[")
            if is_header or at_root:
                owner = next((name for name, h in headers.items() if h.match(line)), owner)
            at_root = at_root and not is_header
            yield owner


_BESIDE_COMMENT = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^#])*""")


def _header(name: str) -> re.Pattern[str]:
    forms = (name, json.dumps(name, ensure_ascii=False), f"'{name}'")
    return re.compile(rf"\s*\[*\s*(?:{'|'.join(map(re.escape, forms))})\s*[\].=]")


def _field(key: str) -> re.Pattern[str]:
    """Match a key before its value, as part of a header, or as the begin of a dotted key."""
    quoted = rf"[\"']?{re.escape(key)}[\"']?\s*"
    return re.compile(rf"(?<![\w-]){quoted}=|\.\s*{quoted}[.\]]|^\s*{quoted}\.")


def _without_values(line: str) -> str:
    """Drop quoted values, but not quoted keys."""
    return _QUOTED.sub(lambda found: found[0] if found[1] else "", line)


_QUOTED = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')(\s*[=.\]])?""")
