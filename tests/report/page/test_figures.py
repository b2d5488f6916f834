import re
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from jamlab.measure.latency.plan import MAX_PEERS
from jamlab.report.latency import breakdown, click, paths
from jamlab.report.page import figures as style
from jamlab.report.page.figures import PLAYER_COLOURS, PLAYER_MARKERS, WIDTH_IN, compact
from tests.report.latency.records import drawn_record

FIGURES = {
    "over time": paths.over_time,
    "distribution": paths.distribution,
    "pairs": paths.pair_medians,
    "waterfall": breakdown.waterfall,
    "waveforms": click.waveforms,
    "correlation": click.correlation,
}


@pytest.fixture(params=FIGURES)
def make(request):
    return FIGURES[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("peers", [2, 6])
def test_every_figure_fits_the_page_and_names_no_address(make, peers):
    figure = make(drawn_record(peers, missed=0.05))
    drawn = figure.svg()
    assert figure.get_figwidth() == WIDTH_IN
    assert 1.5 < figure.get_figheight() < 11  # no taller than a sheet of paper
    ElementTree.fromstring(drawn)
    without_namespaces = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", drawn)
    assert "http" not in without_namespaces
    assert "<!DOCTYPE" not in drawn


FORMULAS = ["$$", "$x^2$", r"$\frac{$", r"$\href{https://example.org}{x}$", "_mine", "a_b^c"]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_from_outside_is_drawn_as_it_is(name):
    """The glyphs are those of the name, letter by letter, in the title, the legend and a tick."""

    @style.styled()
    def drawn():
        figure = style.ReportFigure(2.0, name)
        (axes,) = figure.panels(1, 1)
        axes.plot([0, 1], label=style.in_legend(name))
        axes.set(title=name, xlabel=name, ylabel=name)
        axes.set_yticks([0], [name])
        axes.text(0, 0, name)
        style.legend(figure)
        return figure

    figure = drawn()
    svg = figure.svg()
    assert svg.count("<use") >= 6 * len(name.replace(" ", ""))
    assert 'href="http' not in svg
    assert figure.legends[0].get_texts()[0].get_text().strip() == name


@pytest.mark.slow
def test_the_same_record_gives_the_same_bytes_with_latex_and_without(make):
    """Neither the text of a figure nor its ticks, which are made when it is drawn, are typeset."""
    record = drawn_record(missed=0.05)
    with mpl.rc_context({"text.usetex": True, "text.parse_math": True}):
        drawn = make(record).svg()
    assert drawn == make(record).svg()


@pytest.mark.slow
def test_nothing_heard_can_be_drawn(make):
    assert make(drawn_record(3, missed=1.0)).svg().startswith("<svg")


@pytest.mark.slow
def test_a_figure_shows_itself_and_says_what_it_shows_and_leaves_no_state_behind(make):
    before = dict(mpl.rcParams)
    figure = make(drawn_record())
    data, metadata = figure._repr_mimebundle_()
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
    assert data["image/svg+xml"].startswith("<svg")
    assert metadata["image/svg+xml"]["alt"] == data["text/plain"] == figure.alt
    assert len(figure.alt) > 20


def test_players_differ_in_colour_and_shape():
    assert len(set(PLAYER_COLOURS)) == len(set(PLAYER_MARKERS)) == MAX_PEERS


NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def shapes(svg):
    """Every element's name, and its attributes without numbers and ids; and the numbers."""
    words, numbers = [], []
    for element in ElementTree.fromstring(svg).iter():
        for name, value in sorted(element.attrib.items()):
            if name.rpartition("}")[2] not in ("id", "href"):
                words.append((element.tag, name, "".join(NUMBER.sub("0", value).split())))
                numbers += map(float, NUMBER.findall(value))
    return words, numbers


def references(svg):
    """How many elements are referred to, and whether each of them is there."""
    ids = {element.get("id") for element in ElementTree.fromstring(svg).iter()} - {None}
    wanted = re.findall(r"(?:href=\"|url\()#([\w-]+)", svg)
    return len(wanted), set(wanted) <= ids


@pytest.mark.slow
def test_a_compact_picture_is_the_same_picture(make, monkeypatch):
    """Element by element: the same shapes at the same places, to half a hundredth of a point."""
    monkeypatch.setattr(style, "compact", lambda svg: svg)
    long = make(drawn_record(3, missed=0.05)).svg()
    short = compact(long)
    assert len(short) < 0.85 * len(long)
    (words, numbers), (short_words, short_numbers) = shapes(long), shapes(short)
    assert short_words == words
    assert short_numbers == pytest.approx(numbers, abs=0.00501)
    assert references(short) == references(long)
    assert references(short)[1]
