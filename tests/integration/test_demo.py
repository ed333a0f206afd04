"""The demonstration from end to end, on a small log: what it says comes from the logs that it wrote."""

import importlib.util
import re
import sys
from dataclasses import replace

import pytest

from undertow.simulation.arrival import ArrivalPlan
from undertow.simulation.incidents import SUPPORT


@pytest.fixture(scope="module")
def script(project_dir):
    spec = importlib.util.spec_from_file_location("demo", project_dir / "scripts" / "demo.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["demo"]


@pytest.fixture(scope="module")
def told(script, tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    demo = script.Demo(out, None, replace(SUPPORT, queries_per_day=1_500), ArrivalPlan(queries_per_day=500))
    with demo.console.capture() as captured:
        demo.run()
    return out, captured.get()


def test_it_tells_every_week_and_writes_the_pages_it_names(told):
    out, text = told
    assert text.count("green") + text.count("● red") >= SUPPORT.pre_weeks + SUPPORT.weeks
    for page in ("support.html", "recorded-support.html"):
        assert (out / page).stat().st_size > 10_000
        assert page in text


def test_it_says_what_is_simulated_and_what_is_real(told):
    _, text = told
    assert "(simulated)" in text
    assert "real outcomes, scripted arrival" in text
    assert "Planted (truth.json)" in text


def test_the_dashboard_is_the_logs_aggregate(script, told):
    out, _ = told
    weeks = script.dashboard(out / "support", SUPPORT)
    assert len(weeks) == SUPPORT.pre_weeks + SUPPORT.weeks
    assert [w.bill for w in weeks[:4]] == pytest.approx([100] * 4, abs=3)
    assert weeks[-1].bill == pytest.approx(43.6, abs=3)
    assert weeks[-1].cheap_share == pytest.approx(0.617, abs=0.03)
    assert weeks[0].cheap_share == 0.0


def test_an_alarm_stands_in_the_week_in_which_it_was_raised(script, told):
    out, _ = told
    report, _ = script.audited(out / "support")
    demo = script.Demo(out, None, SUPPORT, ArrivalPlan())
    said = [demo.said_in(week.first_day, report, SUPPORT) for week in script.dashboard(out / "support", SUPPORT)]
    assert sum(len(re.findall("ALARM", week)) for week in said) == len(report.alarms)
    assert sum("planted" in week for week in said) == 1
