"""Provoked errors of the operating system against their `Fault`."""

import errno
import os
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.turn.fault import Fault, ServerFaultError, fault_of


def provoked(act):
    with pytest.raises(OSError) as caught:  # noqa: PT011 (its number is what is asked about)
        act()
    return fault_of(caught.value)


def test_a_name_that_is_none():
    """RFC 6761, section 6.4: names under ``.invalid`` resolve to nothing."""
    found = provoked(lambda: socket.getaddrinfo("turn.invalid", 3478))
    assert found.fault in (Fault.NO_NAME, Fault.NO_RESOLVER)  # the latter without a network


def test_a_closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # and does not listen
        address = listener.getsockname()
        assert provoked(lambda: socket.create_connection(address)).fault is Fault.REFUSED


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), Fault.NO_NAME),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), Fault.NO_RESOLVER),
        (socket.gaierror(socket.EAI_FAIL, "failure"), Fault.NO_RESOLVER),
        (ConnectionResetError(), Fault.CLOSED),
        (BrokenPipeError(), Fault.CLOSED),
        (TimeoutError(), Fault.SILENT),
        (OSError(errno.ETIMEDOUT, "timed out"), Fault.SILENT),
        (OSError(errno.ENETUNREACH, "no network"), Fault.UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "no route"), Fault.UNREACHABLE),
        (OSError(errno.EMFILE, "too many files"), Fault.OTHER_ERROR),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), Fault.NO_TLS),
    ],
)
def test_what_cannot_be_provoked_here(error, fault):
    assert fault_of(error).fault is fault


def test_a_certificate_is_told_from_no_tls():
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_message = "self-signed certificate"
    found = fault_of(error)
    assert (found.fault, found.detail) == (Fault.UNTRUSTED, "self-signed certificate")


@given(st.sampled_from(sorted(errno.errorcode)))
def test_every_error_of_the_system_has_a_word(number):
    found = fault_of(OSError(number, os.strerror(number)))
    assert found.fault in Fault
    assert str(found).startswith(found.fault)


def test_a_detail_is_added_where_there_is_one():
    assert str(ServerFaultError(Fault.QUOTA, "486")) == "quota: 486"
    assert str(ServerFaultError(Fault.QUOTA)) == "quota"
