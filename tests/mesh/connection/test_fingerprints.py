from jamlab.mesh.connection.fingerprints import Identity, KnownPeers

ONE, OTHER = Identity("AA", lasts=True), Identity("BB", lasts=True)
BROWSER = Identity("CC", lasts=False)


def test_another_key_under_a_name_is_noticed_once():
    known = KnownPeers()
    assert [known.note("ben", each) for each in (ONE, ONE, OTHER, OTHER, ONE)] == [
        *(False, False, True, False, True)
    ]


def test_who_says_nothing_of_itself_is_noticed_in_place_of_who_did():
    known = KnownPeers()
    known.note("ben", ONE)
    assert known.note("ben", BROWSER)


def test_a_browser_has_another_key_each_time():
    known = KnownPeers()
    known.note("ben", BROWSER)
    assert not known.note("ben", BROWSER._replace(fingerprint="DD"))


def test_names_do_not_share_keys_and_are_forgotten_when_there_are_many():
    known = KnownPeers()
    known.note("ben", ONE)
    assert not known.note("cleo", OTHER)
    for number in range(1000):
        known.note(f"{number}", ONE)
    assert len(known._known) <= 256
    assert not known.note("ben", OTHER)
