"""coturn, a third-party STUN and TURN server, on a host of a lab or on this machine."""

import contextlib
import datetime
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from jamlab.certificate import self_signed
from jamlab.networks.kernel.listening import answers_tcp, answers_tls, answers_udp, free_ports
from jamlab.process.temporary_folder import temporary_folder

DEADLINE_S = 30.0
"""Time limit of a server's start and of its end, generous for a busy machine."""

_PACE_S = 0.02
REALM = "jamlab.test"


class CoturnError(RuntimeError):
    """coturn is not installed or does not start; the message has the reason."""


class _Place(Protocol):
    """A host of a lab."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its IPv4 addresses."""

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Move the thread into the host's namespace."""


class _ThisMachine:
    addresses = ("127.0.0.1", "127.0.0.2")

    def inside(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def unavailable() -> str | None:
    """Return why coturn cannot run here, and what to do; None if it can."""
    if shutil.which("turnserver") is None:
        return "turnserver not found: apt-get install -y coturn"
    return None


class Coturn:
    """A running coturn while the context lasts: STUN with two addresses (RFC 5780) and TURN.

    It listens on UDP and TCP at `port` and on TLS at `tls_port`, two free ports. On entry to the
    context it answers on all three; on exit the process has ended. It also ends with the thread
    that enters the context, even when that is killed.

    Raises ValueError if a user, password, secret or realm cannot be written into coturn's settings.
    On entering the context, raises `CoturnError`, with the end of the log, if coturn is not
    installed or does not start.

    Parameters
    ----------
    host : KernelHost, optional
        Host of a lab; coturn listens on all its addresses and relays from the first. By default
        this machine, on 127.0.0.1 and 127.0.0.2.
    users : mapping of str to str
        Passwords by user names (long-term credentials, RFC 8489 section 9.2).
    secret : str, optional
        Accept time-limited credentials instead of the users': the user name is the time of expiry,
        in seconds of Unix time, optionally with a colon and a name; the password is the base64 of
        the user name's HMAC-SHA1 under this secret ("A REST API For Access To TURN Services").
    """

    def __init__(
        self,
        host: _Place | None = None,
        *,
        users: Mapping[str, str] | None = None,
        secret: str | None = None,
        realm: str = REALM,
    ) -> None:
        for what, text in _words(users or {}, secret, realm):
            if not re.fullmatch(r"[^\s:#]+", text):
                raise ValueError(f"the {what} of coturn is {text!r}: use a word without : and #")
        self._host: _Place = host or _ThisMachine()
        self.users = dict(users or {})
        self.realm = realm
        self.port = 0
        """Port of UDP and TCP; with two addresses coturn also listens on the next port."""
        self.tls_port = 0
        self.certificate_file: Path
        """The TLS certificate; clients can trust it by ``SSL_CERT_FILE``."""
        self._secret = secret
        self._stack = ExitStack()
        self._log = ""
        self._log_file: Path | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses on which it listens; clients use the first."""
        return self._host.addresses

    @property
    def log(self) -> str:
        """The log so far, or the whole log after the end of the context."""
        if self._log_file is not None:
            with contextlib.suppress(FileNotFoundError):  # the temporary folder was cleared
                self._log = self._log_file.read_text(encoding="utf-8", errors="replace")
        return self._log

    @property
    def stun_url(self) -> str:
        """The STUN URI (RFC 7064)."""
        return f"stun:{self.addresses[0]}:{self.port}"

    def turn_url(self, transport: str = "udp") -> str:
        """Return the TURN URI (RFC 7065) for ``udp``, ``tcp`` or ``tls``."""
        if transport == "tls":
            return f"turns:{self.addresses[0]}:{self.tls_port}?transport=tcp"
        return f"turn:{self.addresses[0]}:{self.port}?transport={transport}"

    def __enter__(self) -> Self:
        if reason := unavailable():
            raise CoturnError(f"coturn cannot run: {reason}")
        with ExitStack() as stack:
            folder = stack.enter_context(temporary_folder("coturn"))
            with self._host.inside():
                self.port, self.tls_port = free_ports(self.addresses, 2)
            self._write_certificate(folder)
            process = stack.enter_context(self._running(folder))
            with self._host.inside():
                self._wait(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _write_certificate(self, folder: Path) -> None:
        now = datetime.datetime.now(datetime.UTC)
        certificate, key = self_signed(self.addresses, now)
        self.certificate_file = folder / "certificate.pem"
        self.certificate_file.write_text(certificate, encoding="ascii")
        (folder / "key.pem").write_text(key, encoding="ascii")

    @contextlib.contextmanager
    def _running(self, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run coturn with a settings file: a command line would show passwords to other users."""
        settings = folder / "turnserver.conf"
        settings.write_text("\n".join([*self._settings(folder), ""]), encoding="utf-8")
        self._log_file = folder / "log"
        with self._log_file.open("wb") as log, self._host.inside():
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "turnserver", "-c", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _stop(process)
            self._log, self._log_file = self.log, None

    def _settings(self, folder: Path) -> Iterator[str]:
        yield from (f"listening-ip={address}" for address in self.addresses)
        yield f"relay-ip={self.addresses[0]}"
        yield f"listening-port={self.port}"
        yield f"tls-listening-port={self.tls_port}"
        yield f"cert={self.certificate_file}"
        yield f"pkey={folder / 'key.pem'}"
        yield f"realm={self.realm}"
        if self._secret is None:
            yield "lt-cred-mech"
            yield from (f"user={name}:{password}" for name, password in self.users.items())
        else:
            yield "use-auth-secret"
            yield f"static-auth-secret={self._secret}"
        yield f"userdb={folder / 'users'}"
        yield f"pidfile={folder / 'pid'}"
        yield from ("log-file=stdout", "simple-log", "verbose", "no-dtls", "no-cli")
        if self.addresses[0].startswith("127."):  # loopback peers require a cli-password
            yield "allow-loopback-peers"
            yield "cli-password=unused"

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it answers at all its addresses and ports."""
        started_s = time.monotonic()
        first, ports = self.addresses[0], [self.port]
        if len(self.addresses) > 1:
            ports.append(self.port + 1)
        questions = [
            *(partial(answers_udp, (host, port)) for host in self.addresses for port in ports),
            partial(answers_tcp, (first, self.port)),
            partial(answers_tls, (first, self.tls_port), self.certificate_file),
        ]
        for answers in questions:
            while not answers():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_PACE_S)
                    raise CoturnError(
                        f"coturn ended with status {process.returncode}: {self._end()}"
                    )
                if time.monotonic() - started_s > DEADLINE_S:
                    raise CoturnError(
                        f"coturn did not answer within {DEADLINE_S:g} s: {self._end()}"
                    )

    def _end(self) -> str:
        return " | ".join(self.log.split("\n")[-4:-1])


def _words(users: Mapping[str, str], secret: str | None, realm: str) -> Iterator[tuple[str, str]]:
    """Yield kind and text of every configurable setting."""
    yield "realm", realm
    for name, password in users.items():
        yield "user", name
        yield "password", password
    if secret is not None:
        yield "secret", secret


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
