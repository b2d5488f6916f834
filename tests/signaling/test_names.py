import hashlib

from jamlab.signaling.names import HeldNames, digest, is_same

ADA = ("realtime:room", "ada")


def test_what_is_shown_is_not_the_secret():
    assert digest("secret") == hashlib.sha256(b"secret").hexdigest()
    assert is_same("secret", digest("secret"))
    assert not is_same(digest("secret"), digest("secret"))
    assert not is_same(None, digest("secret"))


def test_a_name_is_kept_for_its_bearer_for_a_while():
    held = HeldNames(10.0)
    held.hold(ADA, digest("secret"), 100.0)
    for secret, allowed in (("secret", True), ("other", False), (None, False)):
        assert held.allows(ADA, secret, 109.9) == allowed
        assert held.allows(ADA, secret, 110.0)
    assert held.allows(("realtime:other", "ada"), None, 100.0)


def test_who_bears_it_again_holds_it_by_itself():
    held = HeldNames(10.0)
    held.hold(ADA, digest("secret"), 100.0)
    held.release(ADA)
    held.release(ADA)
    assert held.allows(ADA, None, 100.0)


def test_names_are_forgotten():
    held = HeldNames(10.0)
    for number in range(100):
        held.hold(("realtime:room", f"{number}"), "x", float(number))
    assert len(held._held) <= 11
