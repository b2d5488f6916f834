"""``jamlab serve``: a hub, the signalling server, and its web page, in a process of its own."""

import argparse
import asyncio
import datetime
import os
import shlex
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from jamlab.certificate import (
    CertificateError,
    fingerprint,
    is_self_signed,
    read_certificate,
    self_signed,
    server_context,
)
from jamlab.cli import arguments
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.ice.file import load_configuration
from jamlab.resources import client_folder
from jamlab.signaling import endpoint
from jamlab.signaling.hub.addresses import certified_names, distant_host, local_host
from jamlab.signaling.hub.handshake import HubError, is_loopback
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import KEY_VARIABLE, Hub, run_hub
from jamlab.terminal import say

_CERTIFIED = datetime.timedelta(days=30)
_MADE = object()  # the certificate is made, not read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``jamlab serve``."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=4000, help="port, 0 for any (default: %(default)s)"
    )
    parser.add_argument(
        "--key", help=f"key that clients need (default: ${KEY_VARIABLE}, else a random one)"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="origin of web pages that may join, e.g. https://example.org; repeatable "
        "(default: the hub's own host)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name by which clients may reach the hub, e.g. a proxy's; repeatable "
        "(default: the addresses it listens at, and this machine's name)",
    )
    _add_page_arguments(parser)
    parser.set_defaults(run=run)


def _add_page_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tls",
        "--https",
        nargs="?",
        const=_MADE,
        type=Path,
        metavar="FILE",
        help="speak TLS, with a certificate and its chain in PEM, or without a file with one made "
        "for this run: browsers on other machines, such as phones, give a page their microphone "
        "only over https",
    )
    parser.add_argument(
        "--tls-key",
        type=Path,
        metavar="FILE",
        help="private key of the certificate in PEM (default: in the certificate's file)",
    )
    parser.add_argument(
        "--save-certificate",
        type=arguments.page,
        metavar="FILE",
        help="write the certificate made for this run to a file, for `jamlab join`",
    )
    parser.add_argument(
        "--ice", type=Path, help="TOML file of ICE configurations for the page (default: none)"
    )
    parser.add_argument("--configuration", help="which of them (default: the first)")


def run(options: argparse.Namespace) -> int:
    """Run ``jamlab serve`` until it is stopped, and return its exit status.

    Raises `HubError` when it cannot listen at the address, or an option does not fit, and
    `IceConfigurationError` when the file of ICE configurations cannot be used.
    """
    key = options.key or os.environ.get(KEY_VARIABLE)
    try:
        certificate = _certificate(options)
        tls = _tls(certificate)
    except CertificateError as error:
        raise HubError(f"--tls: {error}") from None
    hub = Hub(
        options.host,
        options.port,
        key or None,
        allow_hosts=options.allow_host,
        allow_origins=options.allow_origin,
        site=Site(read_pages(client_folder()), _ice(options).page_configuration),
        tls=tls,
    )
    public = certificate[0] if certificate else ""

    def invite(hub: Hub) -> None:
        file = options.save_certificate
        lines = invitation(hub, shows_key=not key, certificate=public, certificate_file=file)
        say("\n".join(lines))

    asyncio.run(run_hub(hub, invite))
    return 0


def _certificate(options: argparse.Namespace) -> tuple[str, str] | None:
    """Return the certificate of this run and its key in PEM, or None without TLS."""
    is_made = options.tls is _MADE
    if options.save_certificate and not is_made:
        raise HubError("--save-certificate needs --tls without a file: it writes what is made")
    if options.tls_key and (options.tls is None or is_made):
        raise HubError("--tls-key needs the certificate's file: name it with --tls FILE")
    if options.tls is None:
        return None
    now = datetime.datetime.now(datetime.UTC)
    if not is_made:
        return read_certificate(options.tls, options.tls_key, now)
    names = [*certified_names(options.host), *options.allow_host]
    certificate, key = self_signed([*filter(str.isascii, names)], now, _CERTIFIED)
    if options.save_certificate:
        options.save_certificate.parent.mkdir(parents=True, exist_ok=True)
        options.save_certificate.write_text(certificate, encoding="ascii")
    return certificate, key


def _tls(certificate: tuple[str, str] | None) -> ssl.SSLContext | None:
    return server_context(*certificate) if certificate else None


def _ice(options: argparse.Namespace) -> IceConfiguration:
    if options.ice is None:
        if options.configuration is not None:
            raise HubError(
                f"--configuration {options.configuration} needs a file: name it with --ice FILE"
            )
        return HOST_ONLY
    return load_configuration(options.ice, options.configuration, os.environ)


def invitation(
    hub: Hub, *, shows_key: bool, certificate: str = "", certificate_file: Path | None = None
) -> tuple[str, ...]:
    """Return the lines for the user about an open hub: its URL, and how to join.

    The key is shown when it is random, so that the user does not know it.
    """
    key = hub.key if shows_key else "…"
    host = distant_host(hub.host)
    is_near = is_loopback(hub.host)
    url = hub.url_at(local_host(hub.host) if is_near else host)
    trust = f"SSL_CERT_FILE={shlex.quote(str(certificate_file))} " if certificate_file else ""
    command = shlex.join(["jamlab", "join", "ROOM", "--hub", url])
    notes = [] if shows_key else ["put your key in place of the dots"]
    if is_near:
        notes.append("from this machine only; --host admits others")
    words = f" ({'; '.join(notes)})" if notes else ""
    page = f"{hub.page_at(host)}?room=ROOM#key={quote(key, safe='') if shows_key else key}"
    return (
        f"Listening at {hub.url}",
        f"To join{words}: {trust}{endpoint.KEY_VARIABLE}={key} {command}",
        f"In a browser: {page}",
        *_about_encryption(is_near, certificate, is_saved=certificate_file is not None),
        "Ctrl-C ends it.",
    )


def _about_encryption(is_near: bool, certificate: str, *, is_saved: bool) -> Iterator[str]:
    """Yield the lines about the way to the hub, and about what a browser demands of the page."""
    if not certificate and not is_near:
        yield (
            "Not encrypted: whoever is on the way can read the key and use it. Add --tls, "
            "which browsers on other machines also need for their microphones."
        )
    if certificate and is_self_signed(certificate):
        yield (
            "The browser warns once, because nobody it knows has signed the certificate. Go on "
            "only if it shows this SHA-256 fingerprint:"
        )
        yield f"  {fingerprint(certificate)}"
        if not is_saved:
            yield (
                "jamlab join needs the certificate in a file: --save-certificate writes one made "
                "here, SSL_CERT_FILE names it there."
            )
