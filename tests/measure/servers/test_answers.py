"""All answers that a server can give: natprobe and the probe of servers say the same of each.

Requests and answers are written from RFC 8489 and RFC 8656 without the client's code.
"""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceServer
from jamlab.measure.servers.probe import ALLOCATES, AUTHENTICATES, REACHABLE, WORKS, probe
from jamlab.measure.servers.words import sentence
from jamlab.networks.discovery.conclusions import meaning
from jamlab.networks.discovery.discover import discover
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.networks.turn.fault import Fault
from tests.examples import examples
from tests.networks.simulated.internets import internet, port
from tests.networks.turn import independent_client as c

ALTERNATE_DOMAIN, ALTERNATE_SERVER, SOFTWARE = 0x8003, 0x8023, 0x8022
MAPPED = c.XOR_MAPPED_ADDRESS, c.xor_address(("198.51.100.7", 40000))
LATIN_1 = "Capacité épuisée".encode("latin-1")
IPV6 = b"\0\2\x0d\x96" + bytes(15) + b"\1"


def response(class_, *attributes, method=c.BINDING, **options):
    return lambda data: c.message(method, class_, attributes, tid=data[8:20], **options)


def success(*attributes, **options):
    return response(c.SUCCESS, *attributes, **options)


def error(code, phrase=b"", *attributes, **options):
    value = struct.pack("!HBB", 0, code // 100, code % 100) + phrase
    return response(c.ERROR, (c.ERROR_CODE, value), *attributes, **options)


def changed(answer, *places):
    """Flip all bits of the bytes at these places of an answer."""

    def made(data):
        whole = bytearray(answer(data))
        for place in places:
            whole[place] ^= 0xFF
        return bytes(whole)

    return made


BINDING_ANSWERS = {
    "nothing": (lambda data: None, Fault.SILENT, "neither over UDP nor over TCP"),
    # not STUN
    "an empty datagram": (lambda data: b"", Fault.NOT_STUN, "no STUN message"),
    "HTTP": (lambda data: b"HTTP/1.1 400 Bad Request\r\n", Fault.NOT_STUN, "b'HTTP/1.1 400"),
    "a byte": (lambda data: b"\0", Fault.NOT_STUN, "no STUN message"),
    "zeros": (lambda data: bytes(20), Fault.NOT_STUN, "no STUN message"),
    # STUN that no client may use: sections 5, 6.3, 6.3.3 and 6.3.4
    "no magic cookie": (changed(success(MAPPED), 4), Fault.UNUSABLE, "without the magic cookie"),
    "the request": (lambda data: data, Fault.UNUSABLE, "a request instead of"),
    "an indication": (response(c.INDICATION, MAPPED), Fault.UNUSABLE, "an indication instead"),
    "other transaction": (changed(success(MAPPED), 19), Fault.UNUSABLE, "another transaction ID"),
    "other method": (success(MAPPED, method=c.REFRESH), Fault.UNUSABLE, "a response to REFRESH"),
    "no such method": (success(MAPPED, method=0xB), Fault.UNUSABLE, "cannot be read"),
    "cut off": (lambda data: success(MAPPED)(data)[:-4], Fault.UNUSABLE, "cut off"),
    "odd length": (lambda data: success(MAPPED)(data) + b"\0", Fault.UNUSABLE, "of four"),
    "unknown attribute": (success(MAPPED, (0x7777, b"!")), Fault.UNUSABLE, "0x7777"),
    "unknown in an error": (error(400, b"", (0x7777, b"!")), Fault.UNUSABLE, "0x7777"),
    "wrong fingerprint": (
        changed(success(MAPPED, fingerprint=True), -1),
        Fault.UNUSABLE,
        "fingerprint does not match",
    ),
    "wrong fingerprint and not UTF-8": (
        changed(success(MAPPED, (SOFTWARE, LATIN_1), fingerprint=True), -1),
        Fault.UNUSABLE,
        "FINGERPRINT is wrong",
    ),
    "no address": (success(), Fault.UNUSABLE, "mapped IPv4 address"),
    "IPv6": (success((c.XOR_MAPPED_ADDRESS, IPV6)), Fault.UNUSABLE, "mapped IPv4 address"),
    "port 0": (
        success((c.MAPPED_ADDRESS, c.plain_address(("198.51.100.7", 0)))),
        Fault.UNUSABLE,
        "mapped IPv4 address",
    ),
    "half an address": (success((c.XOR_MAPPED_ADDRESS, b"\0\1\0")), Fault.UNUSABLE, "cannot be"),
    "an error without a code": (response(c.ERROR), Fault.UNUSABLE, "without a code"),
    "an error of no class": (error(200), Fault.UNUSABLE, "without a code"),
    "an error beyond 699": (error(700), Fault.UNUSABLE, "without a code"),
    # errors: section 14.8
    "300": (
        error(300, b"Try Alternate", (ALTERNATE_SERVER, c.plain_address(("192.0.2.9", 3479)))),
        Fault.ELSEWHERE,
        "300 Try Alternate: 192.0.2.9:3479",
    ),
    "300 to IPv6 and a name": (
        error(300, b"", (ALTERNATE_SERVER, IPV6), (ALTERNATE_DOMAIN, b"b.example")),
        Fault.ELSEWHERE,
        "300: [::1]:3478 (b.example)",
    ),
    "300 to nobody": (error(300, b"Go"), Fault.ELSEWHERE, "300 Go: it names no other server"),
    "300 to nonsense": (error(300, b"Go", (ALTERNATE_SERVER, b"?")), Fault.ELSEWHERE, "300 Go: it"),
    "400": (error(400, b"Bad Request"), Fault.OTHER_ERROR, "400 Bad Request"),
    "401": (error(401, b"Unauthenticated"), Fault.OTHER_ERROR, "401 Unauthenticated"),
    "403": (error(403, b"Forbidden"), Fault.OTHER_ERROR, "403 Forbidden"),
    "420": (
        error(420, b"Unknown Attribute", (c.UNKNOWN_ATTRIBUTES, b"\0\x26\x7f\xff")),
        Fault.OTHER_ERROR,
        "420 Unknown Attribute: 0x0026, 0x7fff",
    ),
    "438": (error(438, b"Stale Nonce"), Fault.OTHER_ERROR, "438 Stale Nonce"),
    "486": (error(486, b"Quota"), Fault.OTHER_ERROR, "486 Quota"),
    "500": (error(500, b"Server Error"), Fault.OTHER_ERROR, "500 Server Error"),
    "508": (error(508), Fault.OTHER_ERROR, "508"),
    "699": (error(699, b"Odd"), Fault.OTHER_ERROR, "699 Odd"),
    "an escape": (error(500, b"\x1b[31m\rred\0"), Fault.OTHER_ERROR, "500 [31mred"),
    "not UTF-8": (error(500, LATIN_1), Fault.OTHER_ERROR, "500 Capacit? ?puis?e"),
    "not UTF-8, with a fingerprint": (
        error(500, LATIN_1, fingerprint=True),
        Fault.OTHER_ERROR,
        "500 Capacit? ?puis?e",
    ),
    # what works
    "an address": (success(MAPPED), WORKS, ""),
    "with a fingerprint": (success(MAPPED, fingerprint=True), WORKS, ""),
    "with an unknown attribute that may be ignored": (success(MAPPED, (0xC0DE, b"x")), WORKS, ""),
    "of RFC 3489": (
        success((c.MAPPED_ADDRESS, c.plain_address(("198.51.100.7", 40000)))),
        WORKS,
        "",
    ),
    "with software that is not UTF-8": (success(MAPPED, (SOFTWARE, LATIN_1)), WORKS, ""),
}


def asked(answer, question):
    """Return what ``question(host)`` makes of a server that gives an answer to each request."""

    async def main():
        link = LinkConfig(delay_s=0.01)
        world = internet(HostConfig("server", link), HostConfig("client", link))
        server = world.host("server")
        await port(server, 3478, answer)
        with world.host("client"):
            return await question(server.addresses[0])

    with simulated_world():
        return run_simulated(main())


def probed(answer, scheme="stun"):
    def question(host):
        server = IceServer(f"{scheme}:{host}", "ada", "secret")
        return probe(server, now_s=0.0, rounds=2)

    return asked(answer, question)


def discovered(answer):
    return asked(answer, lambda host: discover((host, 3478)))


@pytest.mark.parametrize("name", BINDING_ANSWERS)
def test_both_say_the_same_of_a_stun_server(name):
    answer, outcome, words = BINDING_ANSWERS[name]
    found, nat = probed(answer), discovered(answer)
    assert found.outcome == outcome
    if outcome == WORKS:
        assert nat.mapped == ("198.51.100.7", 40000)
        return
    assert found.step == REACHABLE
    assert (words in found.detail) is (outcome != Fault.SILENT)
    assert words in nat.reasons["nat"]
    assert outcome == Fault.SILENT or nat.udp_blocked is False
    for said in (sentence(found), meaning(nat)):
        assert said.isprintable()
        assert ("IPv4 address" in said) is ("IPv4 address" in words)
        assert outcome == Fault.SILENT or words in said
    assert ("cannot be used" in sentence(found)) is (outcome == Fault.UNUSABLE)


@pytest.mark.parametrize("name", [n for n, row in BINDING_ANSWERS.items() if row[1] == WORKS])
def test_software_is_fit_to_be_shown(name):
    answer, *_ = BINDING_ANSWERS[name]
    assert probed(answer).software == ("Capacit? ?puis?e" if "software" in name else "")


@examples(60)
@given(st.integers(300, 699), st.binary(max_size=100), st.booleans())
def test_any_error_is_told_by_its_code(code, phrase, fingerprint):
    answer = error(code, phrase, fingerprint=fingerprint)
    found, nat = probed(answer), discovered(answer)
    assert found.outcome == (Fault.ELSEWHERE if code == 300 else Fault.OTHER_ERROR)
    assert found.detail.startswith(str(code))
    assert found.detail.isprintable()
    assert found.detail in nat.reasons["nat"]


# TURN: answers to Allocate, without the credential and with it

KEY = hashlib.md5(b"ada:lab:secret").digest()
CHALLENGE = error(401, b"", (c.REALM, b"lab"), (c.NONCE, b"n"), method=c.ALLOCATE)
RELAYED = c.XOR_RELAYED_ADDRESS, c.xor_address(("192.0.2.1", 50000))


def allocated(*attributes, key=KEY, **options):
    return success(*attributes, c.lifetime(60), method=c.ALLOCATE, key=key, **options)


def refused(code, phrase=b"", *attributes):
    return error(code, phrase, *attributes, method=c.ALLOCATE)


ALLOCATE_ANSWERS = {
    "nothing": ([lambda data: None], Fault.SILENT, REACHABLE, ""),
    "HTTP": ([lambda data: b"HTTP/1.1 400 Bad\r\n"], Fault.NOT_STUN, REACHABLE, "HTTP"),
    "a wrong challenge": ([changed(CHALLENGE, 4)], Fault.UNUSABLE, REACHABLE, "magic cookie"),
    "300": (
        [refused(300, b"", (ALTERNATE_SERVER, c.plain_address(("192.0.2.9", 3479))))],
        Fault.ELSEWHERE,
        AUTHENTICATES,
        "300: 192.0.2.9:3479",
    ),
    "300 to a user": ([CHALLENGE, refused(300)], Fault.ELSEWHERE, ALLOCATES, "300"),
    "400": ([refused(400)], Fault.OTHER_ERROR, AUTHENTICATES, "400"),
    "401 for ever": ([CHALLENGE], Fault.WRONG_CREDENTIALS, AUTHENTICATES, "401"),
    "403": ([CHALLENGE, refused(403)], Fault.FORBIDDEN, ALLOCATES, "403"),
    "420": (
        [CHALLENGE, refused(420, b"", (c.UNKNOWN_ATTRIBUTES, b"\0\x19"))],
        Fault.OTHER_ERROR,
        ALLOCATES,
        "420: 0x0019",
    ),
    "441": ([CHALLENGE, refused(441)], Fault.WRONG_CREDENTIALS, AUTHENTICATES, "441"),
    "442": ([CHALLENGE, refused(442)], Fault.OTHER_ERROR, ALLOCATES, "442"),
    "486": ([CHALLENGE, refused(486, b"Quota")], Fault.QUOTA, ALLOCATES, "486 Quota"),
    "500": ([CHALLENGE, refused(500)], Fault.OTHER_ERROR, ALLOCATES, "500"),
    "508": ([CHALLENGE, refused(508, LATIN_1)], Fault.CAPACITY, ALLOCATES, "508 Capacit?"),
    "508 to anybody": ([refused(508, LATIN_1)], Fault.CAPACITY, ALLOCATES, "508 Capacit?"),
    "silence to a user": ([CHALLENGE, lambda data: None], Fault.SILENT, AUTHENTICATES, ""),
    "not signed": (
        [CHALLENGE, allocated(MAPPED, RELAYED, key=None)],
        Fault.UNUSABLE,
        AUTHENTICATES,
        "not signed",
    ),
    "signed by another": (
        [CHALLENGE, allocated(MAPPED, RELAYED, key=b"another")],
        Fault.UNUSABLE,
        AUTHENTICATES,
        "not signed",
    ),
    "unknown attribute": (
        [CHALLENGE, allocated(MAPPED, RELAYED, (0x7777, b""))],
        Fault.UNUSABLE,
        AUTHENTICATES,
        "0x7777",
    ),
    "no relayed address": (
        [CHALLENGE, allocated(MAPPED)],
        Fault.UNUSABLE,
        ALLOCATES,
        "without a relayed IPv4 address",
    ),
    "a relayed IPv6 address": (
        [CHALLENGE, allocated(MAPPED, (c.XOR_RELAYED_ADDRESS, IPV6))],
        Fault.UNUSABLE,
        ALLOCATES,
        "without a relayed IPv4 address",
    ),
    "no mapped address": (
        [CHALLENGE, allocated(RELAYED)],
        Fault.UNUSABLE,
        ALLOCATES,
        "without a mapped IPv4 address",
    ),
}


def in_turn(answers):
    """Give the first answer to requests without MESSAGE-INTEGRITY, and the last to signed ones."""
    return lambda data: answers[-1 if c.INTEGRITY in c.read(data).attributes else 0](data)


@pytest.mark.parametrize("name", ALLOCATE_ANSWERS)
def test_answers_of_a_turn_server(name):
    answers, outcome, step, words = ALLOCATE_ANSWERS[name]
    found = probed(in_turn(answers), "turn")
    assert (found.outcome, found.step) == (outcome, step)
    assert words in found.detail
    assert words in sentence(found)
    assert sentence(found).isprintable()


def test_a_signed_answer_with_software_that_is_not_utf_8_is_signed():
    granted = allocated(MAPPED, RELAYED, (SOFTWARE, LATIN_1), fingerprint=True)
    found = probed(in_turn([CHALLENGE, granted]), "turn")
    assert found.passed(ALLOCATES)
    assert found.software == "Capacit? ?puis?e"
