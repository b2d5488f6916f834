import io

from rich.console import Console

from jamlab.cli.machine.diagnosis import findings_table
from jamlab.cli.machine.doctor import Finding


def test_findings_say_what_to_do_only_where_something_is_wrong():
    good = Finding("libopus", True, "1.6 [bundled]", "nothing to see")
    bad = Finding("PortAudio", False, "not [found]", "apt-get it", essential=False)
    written = io.StringIO()
    Console(file=written, width=120).print(findings_table([good, bad]))
    told = written.getvalue()
    assert "1.6 [bundled]" in told
    assert "nothing to see" not in told
    assert "not [found]" in told
    assert "apt-get it" in told
