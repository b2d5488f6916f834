"""Long-term credentials against the list of RFC 8489, section 9.2.4."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.stun.message import parse
from jamlab.networks.turn.credentials import AuthenticationError, Credentials, Identity
from tests.networks.turn import independent_client as c

CLIENT, OTHER = ("203.0.113.9", 40000), ("203.0.113.9", 40001)


def credentials(seed=1):
    return Credentials({"ada": "secret", "ben": "hidden"}, "jamlab", random.Random(seed), 600.0)


def refusal(tested, data, client=CLIENT, now_s=0.0):
    with pytest.raises(AuthenticationError) as caught:
        tested.authenticate(parse(data), client, now_s)
    assert f"({caught.value.code})" in str(caught.value)
    return caught.value.code


def account(tested, *args, made_s=0.0, **kwargs):
    known = c.Account(*args, **kwargs)
    known.nonce = tested.nonce(CLIENT, made_s)
    return known


@pytest.mark.parametrize(("name", "password"), [("ada", "secret"), ("ben", "hidden")])
def test_the_right_password(name, password):
    tested = credentials()
    data = account(tested, name, password).request(c.REFRESH)
    key = c.long_term_key(name, "jamlab", password)
    assert tested.authenticate(parse(data), CLIENT, 0.0) == Identity(name, key)


def test_nothing():
    assert refusal(credentials(), c.message(c.REFRESH, c.REQUEST)) == 401


@pytest.mark.parametrize(
    "who", [("ada", "wrong"), ("eve", "secret"), ("ada", "secret", "elsewhere")]
)
def test_wrong_password_name_or_realm(who):
    tested = credentials()
    assert refusal(tested, account(tested, *who).request(c.REFRESH)) == 401


@pytest.mark.parametrize("missing", [c.USERNAME, c.REALM, c.NONCE])
def test_a_signature_without_the_rest(missing):
    tested = credentials()
    ada = account(tested)
    all_ = {c.USERNAME: b"ada", c.REALM: b"jamlab", c.NONCE: ada.nonce}
    del all_[missing]
    assert refusal(tested, c.message(c.REFRESH, c.REQUEST, all_.items(), key=ada.key)) == 400


def test_what_was_changed_on_the_way():
    tested = credentials()
    data = account(tested).request(c.REFRESH, c.lifetime(600))
    assert refusal(tested, data.replace(*map(bytes, ([0, 0, 2, 88], [0, 0, 0, 0])))) == 401


def test_a_nonce_is_stale_after_its_lifetime():
    tested = credentials()
    data = account(tested, made_s=50.0).request(c.REFRESH)
    assert tested.authenticate(parse(data), CLIENT, 649.9).username == "ada"
    assert refusal(tested, data, now_s=650.1) == 438


def test_a_nonce_of_another_client_is_stale():
    tested = credentials()
    assert refusal(tested, account(tested).request(c.REFRESH), client=OTHER) == 438


def test_the_password_is_checked_before_the_nonce():
    tested = credentials()
    assert refusal(tested, account(tested, "ada", "wrong").request(c.REFRESH), now_s=700.0) == 401


@given(st.one_of(st.binary(max_size=763), st.text("0123456789abcdef-", max_size=700)))
def test_no_other_nonce_is_taken(nonce):
    tested = credentials()
    ada = account(tested)
    ada.nonce = nonce if isinstance(nonce, bytes) else nonce.encode()
    assert refusal(tested, ada.request(c.REFRESH)) == 438


@given(st.floats(0, 1e9), st.integers(0, 65535))
def test_nonces_differ_by_client_and_server(now_s, port):
    """No two addresses share one (RFC 8489, section 9.2.4), nor do two secrets."""
    tested, again, other = credentials(), credentials(), credentials(seed=2)
    nonce = tested.nonce(("203.0.113.1", port), now_s)
    assert nonce == again.nonce(("203.0.113.1", port), now_s)
    assert nonce != tested.nonce(("203.0.113.2", port), now_s)
    assert nonce != other.nonce(("203.0.113.1", port), now_s)
    assert len(nonce) < 128
