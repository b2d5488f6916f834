"""Time-limited credentials against OpenSSL, and user names against the draft's grammar."""

import math
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.time_limited import LIFETIME_S, expiry_s, time_limited

NOW_S = 1_764_000_000.75
SECRET = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_the_name_is_when_they_expire_and_perhaps_who_it_is():
    assert time_limited("s", "", NOW_S)[0] == "1764086400"
    assert time_limited("s", "ada", NOW_S)[0] == "1764086400:ada"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_the_password_is_what_openssl_makes_of_the_name():
    username, password = time_limited("open sesame", "ada", NOW_S)
    digest = subprocess.run(
        ["openssl", "dgst", "-sha1", "-hmac", "open sesame", "-binary"],
        input=username.encode(),
        capture_output=True,
        check=True,
    ).stdout
    in_base64 = subprocess.run(["openssl", "base64"], input=digest, capture_output=True, check=True)
    assert password == in_base64.stdout.decode().strip()


@given(SECRET, st.text(st.characters(exclude_categories=["Cs"])), st.integers(10**9, 10**10))
def test_they_expire_after_their_lifetime_whoever_it_is(secret, user, now_s):
    username, password = time_limited(secret, user, now_s)
    assert expiry_s(username) == now_s + LIFETIME_S
    assert len(password) == 28  # 20 bytes in base64
    assert time_limited(secret + "!", user, now_s)[1] != password


@pytest.mark.parametrize("name", ["", "ada", "1764086400x", "ada:1764086400", "12:ada", "²" * 10])
def test_other_names_never_expire(name):
    assert expiry_s(name) == math.inf


@given(st.text())
def test_no_name_is_too_strange(name):
    assert expiry_s(name) >= 0
