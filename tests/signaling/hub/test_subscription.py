import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.signaling.hub.limits import Limits, RefusedError
from jamlab.signaling.hub.subscription import Subscription, check_topic

LIMITS = Limits(room_length=8, key_length=8)
PYTHON_DEFAULT = {
    "config": {
        "broadcast": {"ack": False, "self": False},
        "presence": {"key": "", "enabled": False},
        "private": False,
        "postgres_changes": [],
    },
    "access_token": "sb_secret",
}


def read(**config):
    return Subscription.from_payload({"config": config}, LIMITS)


NOTHING = Subscription(None, has_presence=True, wants_ack=False, wants_own=False)


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"presence": None, "broadcast": None, "private": None, "postgres_changes": None},
        {"presence": {}, "broadcast": {}, "private": False, "postgres_changes": []},
        {"presence": {"key": None, "enabled": None}, "broadcast": {"ack": None, "self": None}},
        {"presence": {"key": ""}, "broadcast": {"replay": {"since": 0}}, "private": "false"},
    ],
)
def test_by_default_a_member_has_presence_and_hears_the_others(config):
    # the defaults of Realtime's Payloads.Join and of what it holds
    for payload in ({"config": config}, {"config": config, "access_token": 7, "user_token": None}):
        assert Subscription.from_payload(payload, LIMITS) == NOTHING
    assert Subscription.from_payload({}, LIMITS) == NOTHING


def test_the_python_client_asks_for_no_presence():
    asked = Subscription.from_payload(PYTHON_DEFAULT, LIMITS)
    assert asked == Subscription(None, has_presence=False, wants_ack=False, wants_own=False)


@pytest.mark.parametrize(
    ("given", "name"),
    [("42", "42"), (42, "42"), (-1, "-1"), (1.5, "1.5"), (True, "true"), (0, "0"), ("", None)],
)
def test_a_presence_key_may_be_a_number(given, name):
    assert read(presence={"key": given}).key == name


@pytest.mark.parametrize("yes", [True, "true", "True", "TRUE", "1"])
@pytest.mark.parametrize("no", [False, "false", "False", "FALSE", "0"])
def test_flags_may_be_strings(yes, no):
    asked = read(broadcast={"ack": yes, "self": no}, presence={"enabled": no}, private=no)
    assert (asked.wants_ack, asked.wants_own, asked.has_presence) == (True, False, False)
    assert read(presence={"enabled": yes}).has_presence


def test_what_was_asked_for():
    asked = read(broadcast={"ack": True, "self": True}, presence={"key": "ada", "enabled": True})
    assert asked == Subscription("ada", has_presence=True, wants_ack=True, wants_own=True)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"private": "true"}, "join with private false"),
        ({"private": True}, "join with private false"),
        ({"postgres_changes": [{"event": "*"}]}, "join without postgres_changes"),
        ({"presence": {"key": []}}, "'config.presence.key': expected a string or a number"),
        ({"presence": {"key": {}}}, "'config.presence.key': expected a string or a number"),
        ({"presence": {"key": "a" * 9}}, "has 1 to 8 visible characters"),
        ({"presence": {"key": "a\n"}}, "has 1 to 8 visible characters"),
        ({"presence": {"secret": ""}}, "has 1 to 128 characters"),
        ({"presence": {"secret": 7}}, "'config.presence.secret': expected `str . null`, got `int`"),
        ({"presence": {"secret": "x" * 129}}, "has 1 to 128 characters"),
        (
            {"presence": {"enabled": "yes"}},
            "'config.presence.enabled': expected true or false",
        ),
        ({"broadcast": {"ack": 1}}, "'config.broadcast.ack': expected true or false"),
        ({"broadcast": {"self": []}}, "'config.broadcast.self': expected true or false"),
        ({"private": "maybe"}, "'config.private': expected true or false"),
        ({"broadcast": []}, "'config.broadcast': expected `object . null`, got `array`"),
        ({"presence": "ada"}, "'config.presence': expected `object . null`, got `str`"),
    ],
)
def test_what_a_hub_cannot_give_is_refused_with_the_reason(config, reason):
    with pytest.raises(RefusedError, match=reason):
        read(**config)


def test_a_secret_is_kept_and_not_shown():
    asked = read(presence={"key": "ada", "secret": "s3cret"})
    assert asked.secret == "s3cret"
    assert asked.shown == "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0"
    assert "s3cret" not in repr(asked)


@pytest.mark.parametrize("topic", ["realtime:r", "realtime:12345678", "realtime:a:b", "realtime:ü"])
def test_topics_of_rooms(topic):
    check_topic(topic, LIMITS)


@pytest.mark.parametrize(
    "topic",
    ["", "phoenix", "room", "realtime:", "realtime:123456789", "realtime:a\x00", "REALTIME:r"],
)
def test_other_topics(topic):
    with pytest.raises(RefusedError):
        check_topic(topic, LIMITS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["config", "broadcast", "presence", "key", "ack", "self", "enabled"])
            | st.text(),
            inner,
            max_size=3,
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["config", "access_token"]), json_values))
def test_arbitrary_payloads_are_understood_or_refused(payload):
    try:
        asked = Subscription.from_payload(payload, LIMITS)
    except RefusedError:
        return
    assert asked.key is None or 0 < len(asked.key) <= LIMITS.key_length
