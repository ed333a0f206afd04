"""`make bench-dashboard`: one entry for every figure that was asked for, judged only at the size that its bar names."""

import json
import sys

import pytest

from conftest import require
from dashboard_browser import BUILT, CHROMIUM

KEYS = {"criterion", "bar", "bar_value", "measured", "interval", "n", "seed", "comparator", "ok"}


@pytest.fixture(scope="module")
def bench(project_dir):
    sys.path.insert(0, str(project_dir / "benchmarks"))
    import bench_dashboard
    from dashboard import rows, visits
    from report import Report

    yield {"main": bench_dashboard, "rows": rows, "Visit": visits.Visit, "Report": Report}
    sys.path.remove(str(project_dir / "benchmarks"))
    for name in [name for name in sys.modules if name.partition(".")[0] in {"bench_dashboard", "dashboard", "report"}]:
        del sys.modules[name]


def entries(bench, visits, decisions):
    report = bench["Report"](1)
    bench["rows"].add_view(report, "overview", visits, decisions)
    assert all(set(entry) == KEYS for entry in report.results)
    return {entry["criterion"].partition(": ")[2]: entry for entry in report.results}


def test_medians_are_judged_and_the_first_visit_weighed(bench):
    visit = bench["Visit"]
    slow, quick = visit(1.5, 2.5, 1.4, 600_000, 8), visit(0.2, 0.3, 0.1, 10_000, 8)
    found = entries(bench, [slow, quick, quick], 10_000_000)
    assert (found["first paint, s"]["measured"], found["first paint, s"]["ok"]) == (0.2, True)
    assert found["complete, s"]["interval"] == [0.3, 2.5]
    assert found["compressed, empty cache, kB"]["measured"] == 600
    assert found["compressed, empty cache, kB"]["ok"] is False
    assert entries(bench, [quick, slow, slow], 10_000_000)["complete, s"]["ok"] is False


def test_a_smaller_log_gives_no_verdict_and_a_paint_that_was_not_told_is_none(bench):
    found = entries(bench, [bench["Visit"](None, 0.3, 0.1, 10_000, 8)], 300_000)
    assert found["first paint, s"]["measured"] is None
    assert {entry["ok"] for entry in found.values()} == {None}
    assert "-" in bench["rows"].line("overview", [bench["Visit"](None, 0.3, 0.1, 10_000, 8)])


def test_every_page_of_the_navigation_is_measured_and_each_earlier_day_once(bench):
    pages = bench["main"].pages(5)
    assert {view.path for view in BUILT} <= {paths[0] for paths in pages.values()}
    assert {len(paths) for paths in pages.values()} == {5}
    assert len(set(pages["quality on an earlier day, another each time"])) == 5


def test_a_small_run_has_the_shape_of_the_full_one(bench, tmp_path, monkeypatch):
    require(CHROMIUM is not None, "no chromium on this machine (apt-get install chromium)")
    out = tmp_path / "dashboard.json"
    options = ["--decisions", "20000", "--runs", "1", "--data", str(tmp_path), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["bench_dashboard.py", *options])
    assert bench["main"].main() == 0
    written = json.loads(out.read_text())
    assert set(written) == {"bench", "at", "machine", "command", "results"}
    assert written["bench"] == "dashboard"
    assert len(written["results"]) == 3 * len(bench["main"].pages(1)) + 4
    assert {entry["ok"] for entry in written["results"]} == {None}
    assert all(entry["measured"] > 0 for entry in written["results"])
