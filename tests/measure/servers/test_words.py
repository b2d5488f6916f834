"""Every outcome has a sentence with a remedy, and none shows a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.servers.probe import RELAY, RELAYS, SOCKET, STEPS, WORKS, ServerProbe
from jamlab.measure.servers.words import sentence
from jamlab.networks.turn.fault import Fault

KINDS, TRANSPORTS = st.sampled_from(["stun", "turn"]), st.sampled_from(["udp", "tcp", "tls", "x"])


@given(KINDS, TRANSPORTS, st.sampled_from(Fault), st.sampled_from(STEPS), st.text())
def test_every_fault_has_a_sentence(kind, transport, fault, step, detail):
    found = ServerProbe("url", kind, transport, str(fault), detail, step)
    said = sentence(found)
    assert said.endswith(".")
    assert said[0].isupper()
    bare = sentence(ServerProbe("url", kind, transport, str(fault), "", step))
    assert "{" not in bare
    assert "()" not in bare


@pytest.mark.parametrize(
    ("fault", "step", "words"),
    [
        (Fault.WRONG_CREDENTIALS, "authenticates", "reachable, but refuses user name and password"),
        (Fault.SILENT, "reachable", "unreachable: nothing came back over UDP"),
        (Fault.REFUSED, "reachable", "nothing listens at this UDP port"),
        (Fault.NO_NAME, "reachable", "has no IPv4 address"),
        (Fault.UNTRUSTED, "reachable", "SSL_CERT_FILE"),
        (Fault.NOT_STUN, "reachable", "does not answer as a TURN server"),
        (Fault.QUOTA, "allocates", "quota"),
        (Fault.EXPIRED_CREDENTIALS, "authenticates", "secret_env"),
        (Fault.FORBIDDEN, "allocates", "grants no allocation"),
        (Fault.FORBIDDEN, RELAYS, "allow-loopback-peers"),
        (Fault.NOT_RELAYED, RELAYS, "external-ip"),
        (Fault.CLOSED, RELAYS, "stopped answering"),
    ],
)
def test_what_an_engineer_has_to_tell_apart(fault, step, words):
    assert words in sentence(ServerProbe("url", "turn", "udp", str(fault), "", step))


def test_no_two_faults_say_the_same():
    said = {sentence(ServerProbe("url", "turn", "udp", str(f), "", STEPS[0])) for f in Fault}
    assert len(said) == len(Fault)


def test_what_works():
    assert sentence(ServerProbe("url", "stun", "udp", WORKS)) == "It answers."
    assert sentence(ServerProbe("url", "turn", "udp", WORKS, peer=SOCKET)) == "It relays."
    assert "UDP is blocked here" in sentence(ServerProbe("url", "turn", "tcp", WORKS, peer=RELAY))
