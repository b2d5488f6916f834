"""``jamlab serve``: a hub, the signalling server, and its web page, in a process of its own."""

import argparse
import asyncio
import datetime
import os
import shlex
from pathlib import Path
from urllib.parse import quote

from jamlab.certificate import fingerprint, self_signed, server_context
from jamlab.cli import arguments
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.ice.file import load_configuration
from jamlab.resources import client_folder
from jamlab.signaling import endpoint
from jamlab.signaling.hub.addresses import certified_names, distant_host, local_host
from jamlab.signaling.hub.handshake import HubError, is_loopback
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import KEY_VARIABLE, Hub, run_hub

_CERTIFIED = datetime.timedelta(days=30)


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
        "--https",
        action="store_true",
        help="speak TLS, with a certificate made for this run: browsers on other machines, such "
        "as phones, give a page their microphone only over https",
    )
    parser.add_argument(
        "--save-certificate",
        type=arguments.page,
        metavar="FILE",
        help="write that certificate to a file, for `jamlab join`",
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
    certificate = _certificate(options)
    hub = Hub(
        options.host,
        options.port,
        key or None,
        allow_hosts=options.allow_host,
        allow_origins=options.allow_origin,
        site=Site(read_pages(client_folder()), _ice(options).page_configuration),
        tls=server_context(*certificate) if certificate else None,
    )
    public = certificate[0] if certificate else ""

    def invite(hub: Hub) -> None:
        file = options.save_certificate
        lines = invitation(hub, shows_key=not key, certificate=public, certificate_file=file)
        print(*lines, sep="\n", flush=True)

    asyncio.run(run_hub(hub, invite))
    return 0


def _certificate(options: argparse.Namespace) -> tuple[str, str] | None:
    """Return the certificate of this run and its key in PEM, or None without TLS."""
    if not options.https:
        if options.save_certificate:
            raise HubError("--save-certificate needs --https, without which there is none")
        return None
    now = datetime.datetime.now(datetime.UTC)
    names = [*certified_names(options.host), *options.allow_host]
    certificate, key = self_signed([*filter(str.isascii, names)], now, _CERTIFIED)
    if options.save_certificate:
        options.save_certificate.write_text(certificate, encoding="ascii")
    return certificate, key


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
        *_about_the_browser(is_near, certificate),
        "Ctrl-C ends it.",
    )


def _about_the_browser(is_near: bool, certificate: str) -> tuple[str, ...]:
    """Return the lines about what a browser demands of the page."""
    if certificate:
        return (
            "The browser warns once, because nobody it knows has signed the certificate. Go on "
            "only if it shows this SHA-256 fingerprint:",
            f"  {fingerprint(certificate)}",
        )
    if is_near:
        return ()
    return ("Browsers on other machines only listen: for their microphones add --https.",)
