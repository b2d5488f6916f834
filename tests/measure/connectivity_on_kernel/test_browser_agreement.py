"""Calls of browsers and sessions against the rule: made up, and on this machine's kernel."""

import importlib.util
import shutil

import pytest

from jamlab.browsers.installed import INSTALL_DRIVER
from jamlab.measure.connectivity_on_kernel import calls_of_players
from jamlab.measure.connectivity_on_kernel.agreement import agreement_calls
from jamlab.measure.connectivity_on_kernel.browser_agreement import (
    BrowserAgreementRecord,
    browser_agreement_verdict,
    measure_browser_agreement,
)
from jamlab.measure.connectivity_on_kernel.calls_of_players import sample_of
from jamlab.measure.record import RecordError
from jamlab.measure.verdict import Outcome
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel.namespace import unavailable
from jamlab.networks.model.place_names import place_named
from tests.networks.kernel.wires import own_namespaces

from .agreements import browser_agreement

why_not = unavailable() or coturn.unavailable()
if why_not is None and shutil.which("chromium") is None:
    why_not = "there is no Chromium: apt-get install chromium"
if why_not is None and importlib.util.find_spec("playwright") is None:
    why_not = f"there is no Playwright: {INSTALL_DRIVER}"


def test_browsers_that_do_as_the_rule_says_pass():
    record = browser_agreement()
    verdict = browser_agreement_verdict(record)
    assert verdict.verdict is Outcome.PASS
    failed = (record.calls["result"] == "failed").sum()
    assert f"in {failed} of them nothing can connect" in verdict.reason


def test_a_relay_where_there_is_a_direct_path_is_counted_and_no_contradiction():
    record = browser_agreement()
    direct = record.calls.query("configuration == 'STUN+TURN/UDP' and result == 'direct'")
    record.calls.loc[direct.index[0], "result"] = "relayed"
    verdict = browser_agreement_verdict(record)
    assert verdict.verdict is Outcome.PASS
    assert "in 1 a relay was kept to although there is a direct path" in verdict.reason
    assert record.table["by_luck"].sum() == 1


def test_a_relay_where_the_same_call_is_never_direct_differs():
    record = browser_agreement()
    direct = record.calls.query("configuration == 'STUN+TURN/UDP' and result == 'direct'")
    same = record.calls["call"] == record.calls.loc[direct.index[0], "call"]
    record.calls.loc[same & (record.calls["result"] == "direct"), "result"] = "relayed"
    assert browser_agreement_verdict(record).verdict is Outcome.FAIL


def test_a_direct_path_where_the_rule_has_none_differs():
    record = browser_agreement()
    relayed = record.calls.query("configuration == 'STUN+TURN/UDP' and result == 'relayed'")
    record.calls.loc[relayed.index[0], "result"] = "direct"
    assert browser_agreement_verdict(record).verdict is Outcome.FAIL


def test_the_first_that_differs_is_named():
    verdict = browser_agreement_verdict(browser_agreement(wrong=2))
    assert (verdict.verdict, verdict.value) == (Outcome.FAIL, 2.0)
    assert (
        "open with open under STUN is direct by the rule and failed from browser to browser"
        in verdict.reason
    )


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = browser_agreement()
    again = BrowserAgreementRecord.load(record.save(tmp_path))
    assert again.calls.equals(record.calls)


@pytest.mark.parametrize(
    ("column", "value"), [("configuration", "TUN"), ("result", "lost"), ("callee_player", "ada")]
)
def test_a_record_of_other_calls_is_refused(tmp_path, column, value):
    record = browser_agreement()
    record.calls.loc[0, column] = value
    with pytest.raises(RecordError, match="has"):
        BrowserAgreementRecord.load(record.save(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(why_not is not None, reason=why_not or "")
def test_chromium_and_sessions_connect_as_the_rule_says(monkeypatch):
    """From the first place to all; ``jamlab connectivity --player browser`` has every two."""
    before = own_namespaces()

    def from_the_first(types):
        return [call for call in agreement_calls(types) if call.caller is types[0]]

    monkeypatch.setattr(calls_of_players, "agreement_calls", from_the_first)
    places = [place_named(name) for name in ("port restricted", "symmetric", "UDP blocked")]
    record = measure_browser_agreement(places)
    assert own_namespaces() == before
    sample = sample_of(places)
    assert len(record.calls) == 15 + 3 * len(sample) // 4
    wrong = record.table[~record.table["agrees"]]
    assert wrong.empty, wrong.to_string()
    assert {"direct", "relayed", "failed"} == set(record.calls["result"])
    times_s = record.calls["time_to_connect_s"]
    assert (times_s.notna() == (record.calls["result"] != "failed")).all()
