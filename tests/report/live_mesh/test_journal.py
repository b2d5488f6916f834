"""A session's journal and its invitation."""

import shlex
from html import unescape

from jamlab.cli.commands import command_parser
from jamlab.mesh.connection.events import ConnectionState, ConnectionStateChange
from jamlab.mesh.notices import Notice, NoticeKind
from jamlab.report.live_mesh.journal import Journal, invitation


def test_an_empty_journal_is_an_empty_table():
    table = Journal().table()
    assert list(table.columns) == ["at_s", "peer", "what", "words"]
    assert table.empty


def test_times_count_from_the_first_event():
    journal = Journal()
    new, connecting = ConnectionState.NEW, ConnectionState.CONNECTING
    journal.note(ConnectionStateChange("ben", connecting, new, 100.5))
    journal.note(Notice(NoticeKind.MICROPHONE, 101.0))
    journal.note(Notice(NoticeKind.RETRYING, 103.25, "ben"))
    assert journal.table().to_numpy().tolist() == [
        [0.0, "ben", "connecting", ""],
        [0.5, "", "notice", "Microphone access is required for jamming"],
        [2.75, "ben", "notice", "Direct audio connection failed, retrying…"],
    ]


def test_the_invitation_is_a_command_the_program_takes():
    shown = invitation("a room & <more>", "ws://127.0.0.1:4000/socket").data
    command = unescape(shown.split("<pre>")[1].split("</pre>")[0])
    key, program, *arguments = shlex.split(command)
    assert (key, program) == ("JAMLAB_SUPABASE_KEY=…", "jamlab")
    options = command_parser().parse_args(arguments)
    assert (options.room, options.hub) == ("a room & <more>", "ws://127.0.0.1:4000/socket")
    assert options.echo


def test_a_name_with_dollars_is_no_formula():
    journal = Journal()
    journal.note(Notice(NoticeKind.RETRYING, 1.0, "$x$"))
    html = journal.table()._repr_html_()
    assert "mathjax_ignore" in html[: html.index("$x$")]
