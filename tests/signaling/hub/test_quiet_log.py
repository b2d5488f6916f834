import logging

import pytest
from websockets.exceptions import ConnectionClosedError

from jamlab.signaling.hub.quiet_log import QuietLog

LOG = logging.getLogger("jamlab.test_quiet_log")


def logged(error, caplog, cause=None):
    """Return what is logged about an exception."""
    caplog.set_level(logging.DEBUG)
    try:
        raise error from cause
    except type(error):
        QuietLog(LOG).error("opening handshake failed", exc_info=True)
    return caplog.text


def test_a_bad_request_is_logged_without_its_words(caplog):
    text = logged(ValueError("GET /socket/websocket?apikey=secret"), caplog)
    assert "opening handshake failed" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "silence",
    [
        *(EOFError(), ConnectionResetError(), TimeoutError(), AssertionError()),
        ConnectionClosedError(None, None),
    ],
)
def test_sockets_without_a_request_are_not_logged(silence, caplog):
    assert logged(silence, caplog) == ""
    assert logged(ValueError("no valid request"), caplog, cause=silence) == ""


def test_debugging_is_off_even_when_asked_for(caplog):
    caplog.set_level(logging.DEBUG)
    QuietLog(LOG).debug("> GET /socket/websocket?apikey=secret")
    assert caplog.text == ""
    assert QuietLog(LOG).isEnabledFor(logging.INFO)
