import logging

from jamlab.signaling.hub.quiet_log import QuietLog

LOG = logging.getLogger("jamlab.test_quiet_log")


def test_faults_of_clients_are_not_logged_and_others_are_without_their_exceptions(caplog):
    caplog.set_level(logging.DEBUG)
    log = QuietLog(LOG)
    try:
        raise ValueError("GET /socket/websocket?apikey=secret")
    except ValueError:
        log.error("opening handshake failed", exc_info=True)
        log.error("connection handler failed", exc_info=True)
        log.debug("> GET /socket/websocket?apikey=secret")
    assert [record.getMessage() for record in caplog.records] == ["connection handler failed"]
    assert "secret" not in caplog.text


def test_debugging_is_off_even_when_asked_for(caplog):
    caplog.set_level(logging.DEBUG)
    assert not QuietLog(LOG).isEnabledFor(logging.DEBUG)
    assert QuietLog(LOG).isEnabledFor(logging.INFO)
