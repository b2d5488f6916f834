"""ICE configurations as data: which servers to ask, and what paths are wanted.

A file of them is TOML, a table per configuration::

    ["my office"]
    policy = "all"                                   # or "relay"

    [["my office".servers]]
    urls = "turns:turn.example.org?transport=tcp"
    username = "jam"
    credential_env = "TURN_PASSWORD"                 # the variable that holds it

A credential comes from the environment and is shown nowhere. Only for the simulated internet's own
servers, under ``.test`` (RFC 6761 §6.2), may it stand in the file. With ``secret_env`` in place of
``credential_env`` the variable holds the secret a server shares (coturn's ``static-auth-secret``),
of which credentials for a day are made when the file is read (`jamlab.mesh.time_limited`).
"""

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from aioice import TransportPolicy
from aiortc import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs, parse_stun_turn_uri

from jamlab.data_files import data_path
from jamlab.mesh.time_limited import time_limited

Policy: TypeAlias = Literal["all", "relay"]
Table: TypeAlias = dict[str, Any]

_SERVER_FIELDS = ("urls", "username", "credential", "credential_env", "secret_env")
_FIELDS = ("policy", "servers")
_SIMULATED = ".test"


class IceConfigurationError(ValueError):
    """A configuration that cannot be used; says where in the file, and what to do."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (W3C ``RTCIceServer``).

    Raises
    ------
    IceConfigurationError
        When its URL is none, or a TURN server lacks its username or credential.
    """

    urls: str
    """One URL (RFC 7064, RFC 7065)."""
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_url(self.urls)
        if self.is_turn and not (self.username and self.credential):
            raise IceConfigurationError(f"{self.urls} lacks its username or credential: give both")

    @property
    def parsed(self) -> dict[str, Any]:
        """The URL's ``scheme``, ``host``, ``port`` and, for TURN, ``transport``."""
        return parse_stun_turn_uri(self.urls)

    @property
    def is_turn(self) -> bool:
        """Whether it relays."""
        return self.urls.startswith("turn")


def _check_url(url: str) -> None:
    if "@" in url:  # not repeated in the message: what stands before it may be a credential
        raise IceConfigurationError("the URL has an @: write username and credential beside it")
    try:
        parsed = parse_stun_turn_uri(url)
    except ValueError as error:
        raise IceConfigurationError(
            f"{url!r} is no STUN or TURN URL ({error}): write e.g. "
            "stun:stun.example.org:3478 or turn:turn.example.org?transport=udp"
        ) from None
    if not re.fullmatch(r"[\w.-]+", parsed["host"]):
        raise IceConfigurationError(f"{url!r} names no host: write a name or an IPv4 address")
    if not 0 < parsed["port"] < 65536:
        raise IceConfigurationError(f"{url!r} has a port out of range: give 1 to 65535")


@dataclass(frozen=True, slots=True)
class IceConfiguration:
    """Servers and policy of one end (W3C ``RTCConfiguration``).

    Raises
    ------
    IceConfigurationError
        When there is no such policy.
    """

    name: str
    servers: tuple[IceServer, ...] = ()
    policy: Policy = "all"
    """``"all"``, or ``"relay"`` for relayed candidates only."""

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise IceConfigurationError(f"policy is {self.policy!r}: choose all or relay")

    @property
    def ice_servers(self) -> list[RTCIceServer]:
        """The servers as aiortc takes them."""
        return [RTCIceServer(s.urls, s.username, s.credential) for s in self.servers]

    @property
    def has_turn(self) -> bool:
        """Whether there is a relay to fall back on, among the servers aiortc does use."""
        return "turn_server" in self.connection_arguments()

    def connection_arguments(self) -> dict[str, Any]:
        """Return the arguments of an `aioice.Connection` that does as aiortc would."""
        return dict(_connection_arguments(self))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What aiortc will not honour, a sentence each."""
        return tuple(self._warnings())

    @property
    def reasons_ignored(self) -> tuple[str | None, ...]:
        """Why aiortc ignores each of the servers; None for one it uses."""
        reasons: list[str | None] = []
        used: set[bool] = set()
        for server in self.servers:
            reason = _unusable(server)
            if reason is None and server.is_turn in used:
                kind = "TURN" if server.is_turn else "STUN"
                reason = f"aiortc uses the first {kind} server only"
            if reason is None:
                used.add(server.is_turn)
            reasons.append(reason)
        return tuple(reasons)

    def _warnings(self) -> Iterator[str]:
        for server, reason in zip(self.servers, self.reasons_ignored, strict=True):
            if reason is not None:
                yield f"{server.urls} is ignored: {reason}."
        if self.policy == "relay" and not self.has_turn:
            yield f"{self.name} can never connect: it wants relayed paths and has no TURN server."

    def without_relay(self) -> "IceConfiguration":
        """Return a configuration that is after direct paths only."""
        return replace(self, servers=tuple(s for s in self.servers if not s.is_turn))

    def relayed(self) -> "IceConfiguration":
        """Return a configuration that is after relayed paths only."""
        return replace(self, policy="relay")


HOST_ONLY = IceConfiguration("host only")
"""No servers: for one network."""


def _unusable(server: IceServer) -> str | None:
    """Return why aiortc never uses a server, or None."""
    parsed = server.parsed
    transport = parsed.get("transport", "udp")
    if parsed["scheme"] == "stuns":
        return "aiortc has no STUN over TLS"
    if transport not in ("udp", "tcp"):
        return "aiortc knows the transports udp and tcp only"
    if (parsed["scheme"], transport) == ("turns", "udp"):
        return "aiortc has no TURN over DTLS, only over TLS"
    return None


@cache
def _connection_arguments(configuration: IceConfiguration) -> dict[str, Any]:
    policy = TransportPolicy.RELAY if configuration.policy == "relay" else TransportPolicy.ALL
    return {**connection_kwargs(configuration.ice_servers), "transport_policy": policy}


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
        raise IceConfigurationError(f"{path} cannot be read: {error}") from error
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
