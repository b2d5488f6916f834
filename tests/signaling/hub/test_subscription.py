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


@pytest.mark.parametrize("payload", [{}, {"config": None}, {"config": {}}, PYTHON_DEFAULT])
def test_by_default_a_member_only_listens_to_broadcasts(payload):
    # the defaults of Realtime's Payloads.Config
    expected = Subscription(None, has_presence=False, wants_ack=False, wants_own=False)
    assert Subscription.from_payload(payload, LIMITS) == expected


def test_what_was_asked_for():
    asked = read(broadcast={"ack": True, "self": True}, presence={"key": "ada", "enabled": True})
    assert asked == Subscription("ada", has_presence=True, wants_ack=True, wants_own=True)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"private": True}, "join with private false"),
        ({"postgres_changes": [{"event": "*"}]}, "join without postgres_changes"),
        ({"presence": {"key": 7}}, "'config.presence.key': expected `str . null`, got `int`"),
        ({"presence": {"key": "a" * 9}}, "has 1 to 8 printable characters"),
        ({"presence": {"key": "a\n"}}, "has 1 to 8 printable characters"),
        ({"presence": {"secret": ""}}, "has 1 to 128 characters"),
        ({"presence": {"secret": 7}}, "'config.presence.secret': expected `str . null`, got `int`"),
        ({"presence": {"secret": "x" * 129}}, "has 1 to 128 characters"),
        (
            {"presence": {"enabled": "yes"}},
            "'config.presence.enabled': expected `bool . null`, got `str`",
        ),
        ({"broadcast": {"ack": 1}}, "'config.broadcast.ack': expected `bool . null`, got `int`"),
        (
            {"broadcast": {"self": []}},
            "'config.broadcast.self': expected `bool . null`, got `array`",
        ),
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
