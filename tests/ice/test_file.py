"""Files of ICE configurations, what is in them and their faults."""

import contextlib
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import pytest
from aioice import Connection, TransportPolicy
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceConfigurationError, IceServer
from jamlab.ice.file import (
    embedded_configurations,
    load_configuration,
    load_configurations,
    parse_configurations,
)
from jamlab.ice.time_limited import time_limited
from jamlab.measure.connectivity.call import stand_in
from jamlab.resources import data_path

SECRET = "hunter-2-hunter-2"
STUN, TURN = "stun:stun.jamlab.test:3478", "turn:turn.jamlab.test:3478?transport=udp"

ENV = 'credential_env = "TURN_PASSWORD"'
EVERYTHING = f"""# two configurations
["my office"]
policy = "relay"
servers = [
    {{ urls = "stun:stun.example.org" }},
    {{ urls = ["turn:turn.example.org", "turns:tls.example.org"], username = "jam", {ENV} }},
]

[simulated]
[[simulated.servers]]
urls = "{TURN}"   # urls = "not this"
username = "jam"
credential = "jam"
"""


def parsed(text, environ=None):
    return parse_configurations(
        text, {"TURN_PASSWORD": SECRET} if environ is None else environ, "f"
    )


def fault(text, environ=None):
    with pytest.raises(IceConfigurationError) as caught:
        parsed(text, environ)
    return str(caught.value)


def assert_read_or_refused(text):
    """Assert that there is no other error, and that it begins with the file's name."""
    try:
        said = None if parsed(text) else "nothing was read"
    except IceConfigurationError as error:
        said = str(error)
    begins = r"f(, line \d+, | is not valid TOML: | has no configuration: )"
    assert said is None or re.match(begins, said)
    assert SECRET not in (said or "")


class TestEmbedded:
    def test_are_five_in_the_order_they_are_shown(self):
        names = ["host only", "STUN", "STUN+TURN/UDP", "STUN+TURN/TCP", "relay only"]
        configurations = embedded_configurations()
        assert list(configurations) == [each.name for each in configurations.values()] == names

    def test_say_to_aioice_what_their_names_say(self):
        stun = {"stun_server": ("stun.jamlab.test", 3478)}

        def turn(transport):
            return {
                "turn_server": ("turn.jamlab.test", 3478),
                "turn_username": "jam",
                "turn_password": "jam",
                "turn_ssl": False,
                "turn_transport": transport,
            }

        everyone, relay = {"transport_policy": TransportPolicy.ALL}, TransportPolicy.RELAY
        assert [each.connection_arguments() for each in embedded_configurations().values()] == [
            everyone,
            everyone | stun,
            everyone | stun | turn("udp"),
            everyone | stun | turn("tcp"),
            {"transport_policy": relay} | turn("udp"),
        ]

    @pytest.mark.parametrize("name", list(embedded_configurations()))
    def test_are_what_aioice_takes_and_aiortc_honours(self, name):
        configuration = embedded_configurations()[name]
        assert configuration.warnings == ()
        assert configuration.has_turn == ("TURN" in name or name == "relay only")
        arguments = configuration.connection_arguments()
        connection = Connection(ice_controlling=True, **arguments)
        assert connection.turn_server == arguments.get("turn_server")
        assert connection.stun_server == arguments.get("stun_server")


class TestExample:
    PATH = data_path("ice_servers.example.toml")

    def test_works_with_its_variable(self):
        direct, relayed = load_configurations(self.PATH, {"TURN_PASSWORD": SECRET}).values()
        assert direct.has_turn
        assert relayed.policy == "relay"
        assert direct.warnings == relayed.warnings == ()
        assert direct.connection_arguments()["turn_password"] == SECRET

    def test_without_it_says_where_and_what_to_do(self):
        lines = self.PATH.read_text(encoding="utf-8").split("\n")
        number = next(n for n, text in enumerate(lines, 1) if "credential_env" in text)
        with pytest.raises(IceConfigurationError) as caught:
            load_configurations(self.PATH, {})
        assert str(caught.value) == (
            f"{self.PATH}, line {number}, mine, direct first: credential_env names TURN_PASSWORD, "
            "which is not set: set it to the credential"
        )


class TestFile:
    def test_everything_is_read(self):
        office, simulated = parsed(EVERYTHING).values()
        assert office == IceConfiguration(
            "my office",
            (
                IceServer("stun:stun.example.org"),
                IceServer("turn:turn.example.org", "jam", SECRET),
                IceServer("turns:tls.example.org", "jam", SECRET),
            ),
            "relay",
        )
        assert simulated == IceConfiguration("simulated", (IceServer(TURN, "jam", "jam"),))

    def test_one_that_is_not_there(self, tmp_path):
        with pytest.raises(IceConfigurationError, match=r"none\.toml cannot be read: No such"):
            load_configurations(tmp_path / "none.toml", {})

    def test_one_without_end(self):
        with pytest.raises(IceConfigurationError, match="cannot be read: it is longer than 1 MiB"):
            load_configurations(Path("/dev/zero"), {})

    def test_one_that_is_no_text(self, tmp_path):
        (tmp_path / "sound.toml").write_bytes(b"RIFF\xff\xfe")
        with pytest.raises(IceConfigurationError, match=r"sound\.toml cannot be read"):
            load_configurations(tmp_path / "sound.toml", os.environ)

    def test_one_without_configurations(self):
        assert fault("# nothing yet") == "f has no configuration: add a table, e.g. [mine]"

    def test_syntax_errors_have_their_line(self):
        assert (
            fault('[mine]\npolicy = "all"\nservers = [')
            == "f is not valid TOML: Invalid value (at end of document)"
        )
        assert "(at line 2, column 8)" in fault("[mine]\npolicy all")

    @pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000])
    def test_toml_that_python_cannot_hold(self, text):
        assert fault(text).startswith("f is not valid TOML: ")


FAULTS = [
    ('policy = "relay"', 'policy = "relayed"', "policy is 'relayed': choose all or relay"),
    (
        'policy = "relay"',
        "policy = 1",
        "policy: expected text, got a whole number; choose all or relay",
    ),
    ('policy = "relay"', 'polizy = "relay"', "there is no field polizy: use policy, servers"),
    (
        '"stun:stun.example.org"',
        '"stun.example.org"',
        "'stun.example.org' is not a STUN or TURN URL",
    ),
    (
        '"stun:stun.example.org"',
        "3478",
        "urls: expected text or a list, got a whole number; write the server's URL",
    ),
    (
        '"stun:stun.example.org"',
        "[]",
        "urls: expected a list of length >= 1; write the server's URL",
    ),
    ('"stun:stun.example.org"', '"stun:a b"', "'stun:a b' has no valid host"),
    ('"stun:stun.example.org"', '"stun:a:70000"', "'stun:a:70000' has a port out of range"),
    ('["turn:turn.example.org", ', '["turn:u:p@example.org", ', "the URL has an @: write username"),
    (
        'username = "jam", cr',
        "username = 7, cr",
        "username: expected text, got a whole number; write it in quotes",
    ),
    ('username = "jam", cr', "cr", "turn:turn.example.org lacks its username or credential"),
    (
        'credential_env = "TURN_PASSWORD"',
        f'credential = "{SECRET}"',
        "a credential does not belong",
    ),
    (
        'credential_env = "TURN_PASSWORD"',
        'credential_env = "OTHER"',
        "names OTHER, which is not set",
    ),
    ('credential_env = "TURN_PASSWORD"', f'credential_env = "{SECRET}"', "names a variable, which"),
    ('credential = "jam"', 'credential = "jam"\npassword = "x"', "there is no field password"),
    ('credential = "jam"', 'credential = "jam"\ncredential_env = "X"', "exclude each other"),
    (
        'credential = "jam"',
        "credential = 1.5",
        "credential: expected text, got a number; write it in quotes",
    ),
    ('username = "jam"\n', "", f"{TURN} lacks its username or credential"),
]


MANY = {
    "tables": ('[c{0}]\npolicy = "all"\n', ""),
    "tables, the last wrong": ('[c{0}]\npolicy = "all"\n', '[x]\npolicy = "none"\n'),
    "tables with servers": ('[c{0}]\n[[c{0}.servers]]\nurls = "stun:s{0}.test"\n', ""),
    "servers": ('[[c.servers]]\nurls = "stun:s{0}.test"\n', ""),
    "servers, the last wrong": ('[[c.servers]]\nurls = "stun:s{0}.test"\n', "[[c.servers]]\n"),
    "dotted keys": ('c{0}.policy = "all"\n', ""),
}


@pytest.mark.parametrize("name", MANY)
def test_the_time_is_proportional_to_the_length(name):
    """The number of calls stands for the time, and does not depend on the machine."""
    each, last = MANY[name]

    def calls(count):
        text = "".join(map(each.format, range(count))) + last
        made = [0]

        def counted(_frame, event, _arg):
            made[0] += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            with contextlib.suppress(IceConfigurationError):
                parsed(text)
        finally:
            sys.setprofile(None)
        return made[0]

    calls(1)  # what is made once
    assert calls(400) < 2.2 * calls(200)


class TestFaults:
    @pytest.mark.parametrize(("right", "wrong", "message"), FAULTS, ids=[f[1] for f in FAULTS])
    def test_name_file_line_and_field_and_say_what_to_do(self, right, wrong, message):
        """The line is the one that was changed, or, where a field is missing, one beside it."""
        assert EVERYTHING.count(right) == 1
        text = EVERYTHING.replace(right, wrong)
        said = fault(text)
        assert message in said
        assert SECRET not in said
        changed = EVERYTHING[: EVERYTHING.index(right)].count("\n") + 1
        line = int(said.removeprefix("f, line ").split(",")[0])
        moved = 1 if "lacks" in message else "\n" in wrong and "both" not in message
        assert abs(line - changed) <= moved
        name = "my office" if changed < 10 else "simulated"
        assert said.startswith(f"f, line {line}, {name}: ")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "mine = 1",
                "line 1, mine: expected a table, got a whole number; write [mine] above its fields",
            ),
            (
                "[mine]\n\nservers = 1",
                "line 3, mine: servers: expected a list, got a whole number; write [[",
            ),
            (
                "[mine]\nservers = [1]",
                "line 2, mine: servers: expected a table, got a whole number; write [[",
            ),
            ("[mine]\n[mine.servers]", "line 2, mine: servers: expected a list, got a table; "),
            (
                "[a]\n[mine]\n[[mine.servers]]",
                "line 2, mine: urls: missing; write the server's URL",
            ),
            ("'my \"x\"'.policy = 1", 'line 1, my "x": policy: expected text, got a whole number'),
            (
                "[urls]\n[policy]\npolicy = 2",
                "line 3, policy: policy: expected text, got a whole number",
            ),
            ("[mine]\n[other]\n[mine.foo]", "line 3, mine: there is no field foo"),
            (
                '[mine]\nservers = [{urls = "stun:a.org"},\n{username = "a"}]',
                "line 3, mine: urls: missing",
            ),
            (
                '[mine]\nservers = [{urls = "stun:a.org"},\n{urls = [\n"stun:b.org", 7]}]',
                "line 3, mine: urls: expected text, got a whole number",
            ),
            (
                '[mine]\nservers = []\n"servers[7].x" = 1',
                "line 3, mine: there is no field servers[7].x: use policy, servers",
            ),
            (
                '[mine]\n"x` - at `$.servers[7].y" = 1',
                "line 1, mine: there is no field servers[7].y.x: use policy, servers",
            ),
        ],
    )
    def test_in_files_of_other_shapes(self, text, message):
        assert f"f, {message}" in fault(text)

    @given(st.integers(0, 6), st.integers(0, 6), st.booleans())
    def test_the_line_is_that_of_the_server_which_is_wrong(self, before, after, in_line):
        def server(n, key):
            url = f'{key} = "stun:s{n}.example.org"'
            return [f"    {{ {url} }},"] if in_line else ["", "[[mine.servers]]", url]

        lines = ["[other]", "[mine]", *(["servers = ["] if in_line else [])]
        for n in range(before + after + 1):
            lines += server(n, "url" if n == before else "urls")
        wrong = next(n for n, line in enumerate(lines, 1) if "url =" in line)
        text = "\n".join([*lines, "]"] if in_line else lines)
        assert fault(text).startswith(f"f, line {wrong}, mine: there is no field url: ")

    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(EVERYTHING)),
                st.integers(0, 12),
                st.text(max_size=6) | st.sampled_from(["[", "]", '"', "\n", "=", "[[", "1", "{}"]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_a_damaged_file_is_read_or_refused(self, edits):
        text = EVERYTHING
        for at, length, put in edits:
            text = text[:at] + put + text[at + length :]
        assert_read_or_refused(text)

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, text):
        assert_read_or_refused(text)


class TestCredentials:
    @pytest.mark.parametrize(
        "url",
        [
            "turn:turn.jamlab.org",
            "turn:test",
            "turn:turn.test.org",
            "turn:turn.example.org?transport=x.test",
            "turn:turn.mytest",
        ],
    )
    def test_only_hosts_under_test_may_have_theirs_in_the_file(self, url):
        server = f'urls = "{url}"\nusername = "a"\ncredential = "{SECRET}"'
        assert "a credential does not belong in a file" in fault(f"[[mine.servers]]\n{server}")

    def test_one_foreign_host_among_several_is_too_many(self):
        urls = f'urls = ["{TURN}", "turn:turn.example.org"]'
        text = f'[[mine.servers]]\n{urls}\nusername = "a"\ncredential = "b"'
        assert "a credential does not belong in a file" in fault(text)

    @pytest.mark.parametrize("environ", [{}, {"TURN_PASSWORD": ""}])
    def test_a_variable_that_is_not_set(self, environ):
        assert "TURN_PASSWORD, which is not set" in fault(EVERYTHING, environ)

    def test_are_shown_nowhere(self):
        configurations = parsed(EVERYTHING)
        server = configurations["my office"].servers[1]
        for shown in (configurations, server, [*configurations.values()]):
            assert SECRET not in repr(shown)
            assert SECRET not in str(shown)
        assert SECRET not in " ".join(configurations["my office"].warnings)
        assert asdict(server)["credential"] == SECRET


class TestSecrets:
    """Credentials that are made of a secret, by the time."""

    TEXT = '[mine]\n[[mine.servers]]\nurls = "turn:turn.example.org"\n'
    ENVIRON = MappingProxyType({"TURN_SECRET": SECRET, "TURN_PASSWORD": "another"})

    def made(self, more, now_s=1_764_000_000.0):
        text = f"{self.TEXT}{more}"
        configuration = parse_configurations(text, self.ENVIRON, "f", lambda: now_s)["mine"]
        return configuration.servers[0]

    @pytest.mark.parametrize("user", ["", "jam"])
    def test_they_are_good_for_a_day_from_when_the_file_is_read(self, user):
        server = self.made(f'username = "{user}"\nsecret_env = "TURN_SECRET"')
        expected = time_limited(SECRET, user, 1_764_000_000.0)
        assert (server.username, server.credential) == expected

    def test_no_user_name_is_needed(self):
        assert self.made('secret_env = "TURN_SECRET"').username == "1764086400"

    def test_neither_secret_nor_credential_is_shown(self):
        server = self.made('secret_env = "TURN_SECRET"')
        assert server.credential not in repr(server)
        assert SECRET not in repr(server)

    def test_a_campaign_is_the_same_one_when_the_file_is_read_again(self):
        first, second = (self.made('secret_env = "TURN_SECRET"', now_s) for now_s in (1e9, 2e9))
        assert first != second
        same = [stand_in(IceConfiguration("mine", (each,))) for each in (first, second)]
        assert same[0] == same[1]

    @pytest.mark.parametrize(
        ("more", "line", "words"),
        [
            (
                'secret_env = "NOWHERE"',
                4,
                "secret_env names NOWHERE, which is not set: set it to the secret",
            ),
            (
                'secret_env = "TURN_SECRET"\ncredential_env = "TURN_PASSWORD"',
                5,
                "credential_env and secret_env exclude each other: drop credential_env",
            ),
            (
                "secret_env = 7",
                4,
                "secret_env: expected text, got a whole number; write it in quotes",
            ),
            (f'secret_env = "{SECRET}"', 4, "secret_env names a variable, which is not set"),
        ],
    )
    def test_faults(self, more, line, words):
        said = fault(f"{self.TEXT}{more}", self.ENVIRON)
        assert said.startswith(f"f, line {line}, mine: {words}")
        assert SECRET not in said


def test_one_configuration_of_a_file_is_the_first_or_the_named():
    path = data_path("ice_servers.example.toml")
    environ = {"TURN_PASSWORD": "a secret word"}
    known = load_configurations(path, environ)
    first, second = known.values()
    assert load_configuration(path, None, environ) == first
    assert load_configuration(path, second.name, environ) == second
    with pytest.raises(IceConfigurationError, match=f"no configuration 'other': .*{first.name}"):
        load_configuration(path, "other", environ)


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    with pytest.raises(IceConfigurationError) as raised:
        parse_configurations('["a\\u001b[31m"]', {}, "mine.toml")
    assert str(raised.value).isprintable()
