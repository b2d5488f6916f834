import re
import socket

import nbformat
import pytest

from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.record import STUN_ONLY, THIS_MACHINE, ConnectivityRecord
from jamlab.measure.connectivity_on_kernel.run import AGREEMENT_FOLDER, SERVER_LOGS
from jamlab.measure.record import RecordError
from jamlab.measure.session_connectivity.record import SESSIONS_FOLDER
from jamlab.report.page.html import notebook_path, render
from tests.measure.connectivity.attempts import LADDER, TURN, campaign, populations_in_kernels
from tests.measure.connectivity_on_kernel.agreements import agreement
from tests.measure.session_connectivity import meetings
from tests.notebooks.cells import run_cells
from tests.report.connectivity.test_servers import record_here
from tests.report.page.pages import Page

NOTEBOOK = "02_p2p_success_rate"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(notebook_path(NOTEBOOK), as_version=4)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a campaign, with a second population."""
    folder = tmp_path_factory.mktemp("page")
    campaign(calls=120).save(folder / "record")
    parameters = {"record": str(folder / "record"), "other_populations": ["mobile"]}
    with pytest.MonkeyPatch.context() as patch:
        populations_in_kernels(patch, folder / "site")
        made = render(notebook_path(NOTEBOOK), parameters, folder / "page.html")
    return Page(made.read_text(encoding="utf-8"))


def test_it_begins_in_plain_words_and_takes_parameters(notebook):
    words, parameters, *_ = notebook.cells
    assert words.cell_type == "markdown"
    assert parameters.metadata.tags == ["parameters"]
    names = [line.split(" = ")[0] for line in parameters.source.splitlines()]
    how_many = ["meetings", "calls", "attempts"]
    whose = ["network", "ice", "population", *how_many, "seed", "other_populations"]
    assert names == ["record", "out", *whose]


@pytest.mark.slow
def test_its_page_has_every_table_and_figure_with_words_and_reaches_nowhere(page):
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    before = ["parts", "verdicts", "population", "shares", "times", "states"]
    assert tables == [*before, "features", "provenance"]
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(set(alts)) == len(alts) == len(page.images) == 5 + len((STUN_ONLY, TURN, LADDER))
    assert page.addresses == []
    assert "script" not in page.tags


@pytest.mark.slow
def test_a_page_with_sessions_begins_with_them_and_judges_them_alone(tmp_path, monkeypatch):
    record = campaign(calls=40)
    record.save(tmp_path / "record", {SESSIONS_FOLDER: meetings.campaign(calls=30)})
    populations_in_kernels(monkeypatch, tmp_path / "site")
    parameters = {"record": str(tmp_path / "record"), "other_populations": []}
    made = render(notebook_path(NOTEBOOK), parameters, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables[:4] == ["parts", "verdicts", "sounds", "told"]
    assert tables[4:] == ["population", "shares", "times", "states", "features", "provenance"]
    assert "30 meetings of two sessions within the population home" in page.text
    assert "Share of sessions that end direct (STUN+TURN)" in page.text
    assert "Share of direct-capable calls" not in page.text
    headings = [words for _, _, words in page.headings]
    assert headings.index("Sessions that meet") < headings.index("What each server buys")
    assert not re.search(r"(?i)\bnan\b", page.text)
    assert page.addresses == []


@pytest.mark.slow
def test_a_kernel_s_page_sets_it_beside_the_simulated(tmp_path, monkeypatch):
    record = campaign(calls=40)
    told = record.provenance | {"network": "kernel", "left_out": ""}
    ConnectivityRecord(record.attempts, told).save(tmp_path / "record")
    both = agreement()
    both.save(tmp_path / "record" / AGREEMENT_FOLDER)
    both.server_logs.iloc[:0].to_parquet(tmp_path / "record" / SERVER_LOGS)
    populations_in_kernels(monkeypatch, tmp_path / "site")
    parameters = {"record": str(tmp_path / "record"), "other_populations": []}
    made = render(notebook_path(NOTEBOOK), parameters, tmp_path / "page.html")
    page = Page(made.read_text(encoding="utf-8"))
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    cells = [f"agreement-{word}" for word in ("STUN", "STUN-TURN-UDP", "STUN-TURN-TCP")]
    assert [name for name in tables if name.startswith("agreement")] == [
        "agreement",
        "agreement-summary",
        *cells,
        "agreement-STUN-TURN-TLS",
        "agreement-relay-only",
    ]
    assert "each of 50 cells the same class" in page.text
    assert "session 7: <b>said</b>" in page.text
    assert "on this machine's kernel" in page.text
    assert "no packet leaves this machine" not in page.text  # that is how simulated ones are made
    assert page.addresses == []


@pytest.mark.slow
def test_its_page_shows_no_code(page):
    assert "from jamlab import" not in page.text
    assert "own servers" not in page.text
    assert "Sessions that meet" not in page.text  # it has none
    assert not re.search(r"(?i)\bnan\b", page.text)


@pytest.mark.slow
def test_the_page_of_one_s_own_servers_has_their_tables_and_no_word_of_a_population(tmp_path):
    record_here().save(tmp_path / "record")
    parameters = {"record": str(tmp_path / "record")}
    made = render(notebook_path(NOTEBOOK), parameters, tmp_path / "page.html")
    own = Page(made.read_text(encoding="utf-8"))
    tables = [value for tag, name, value in own.attributes if (tag, name) == ("table", "class")]
    about = ["servers", "sentences", "attempts", "states", "provenance"]
    assert tables == ["parts", "verdicts", *about]
    assert own.headings[0][2] == "Connections with your own servers"
    assert "over the internet" not in own.text
    assert not re.search(r"population|simulated|(?i:\bnan\b)", own.text)
    assert own.addresses == []


@pytest.mark.slow
def test_it_asks_one_s_own_servers_itself(tmp_path, monkeypatch):
    """A server where nothing listens is enough to see that it is asked, with credentials."""
    monkeypatch.setenv("JAMLAB_TEST_SECRET", "a secret word")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"turn:127.0.0.1:{closed.getsockname()[1]}?transport=tcp"
        (tmp_path / "own.toml").write_text(
            f'[own]\n[[own.servers]]\nurls = "{url}"\nsecret_env = "JAMLAB_TEST_SECRET"\n'
        )
        parameters = {"network": THIS_MACHINE, "ice": str(tmp_path / "own.toml"), "attempts": 1}
        parameters["out"] = str(tmp_path / "record")
        made = render(notebook_path(NOTEBOOK), parameters, tmp_path / "page.html")
    record = ConnectivityRecord.load(tmp_path / "record")
    assert record.servers["outcome"].tolist() == ["refused"]
    assert record.attempts["result"].tolist() == ["direct", "failed"]  # and with the relay alone
    assert "a secret word" not in made.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("kernel", "set record to the folder of `jamlab connectivity --network kernel`"),
        (THIS_MACHINE, "give your file of ICE configurations as ice"),
    ],
)
def test_what_it_cannot_measure_is_told_in_a_sentence(tmp_path, network, words):
    parameters = {"network": network, "out": str(tmp_path / "record")}
    with pytest.raises((ValueError, CampaignError), match=words):
        run_cells(NOTEBOOK, parameters)


@pytest.mark.slow
def test_a_record_that_is_not_there_is_told_in_a_sentence(tmp_path):
    with pytest.raises(RecordError, match="is missing"):
        run_cells(NOTEBOOK, {"record": str(tmp_path)})
