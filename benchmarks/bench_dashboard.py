"""The dashboard over ten million decisions, in a real Chromium: first paint, time until a page is complete, and its weight.

    python benchmarks/bench_dashboard.py [--quick] [--runs N] [--seed N]

Makes a simulated support incident once (kept below build/bench/data), starts `undertow ui`, waits until the log was read, and
opens every view several times: the first time with an empty cache of the browser, and nothing computed for it by the dashboard yet.
Then the pages behind the views: a segment, two periods compared, and quality as it looked on earlier days, another one each time.
Needs Chromium. Writes build/bench/dashboard.json.
"""

import argparse
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

from dashboard import rows, visits
from dashboard.served import ROOT, body_of, forget, make_log, serving
from report import Report
from undertow.dashboard.app import ROUTES
from undertow.dashboard.pages import PREFIX, VIEWS

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUICK_SIZE = 300_000
EARLIER = date(2026, 3, 9)
"""The first of the earlier days: five weeks into the routing."""

MAKING = 'id="book" hx-get='
"""Stands in the ledger's page as long as its book is being made."""


def pages(runs: int) -> dict[str, list[str]]:
    """Paths of all pages that are measured, by name, each as often as it is opened; only such as the dashboard has."""
    found = {f"{view.title} ({view.path})": [view.path] * runs for view in VIEWS}
    found["one segment"] = ["/ui/segments/one?tier=cheap&segment=intent%3Dbilling"] * runs
    found["two periods compared"] = ["/ui/segments/compare"] * runs
    days = (EARLIER + timedelta(days=3 * number) for number in range(runs))
    found["quality on an earlier day, another each time"] = [f"/ui/quality?as_of={day}" for day in days]
    answered = {f"{PREFIX}{getattr(route, 'path', '')}" for route in ROUTES}
    return {name: paths for name, paths in found.items() if paths[0].partition("?")[0] in answered}


def ledger_seconds(address: str) -> float:
    """Seconds from the first visit of the ledger until its book has been made."""
    began = time.perf_counter()
    while MAKING in body_of(address, "/ui/ledger"):
        time.sleep(0.2)
    return time.perf_counter() - began


def main() -> int:
    """Measure all pages; exit status 0 whatever the figures say (the JSON says which bars were met)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SIZE:,} decisions")
    parser.add_argument("--decisions", type=int, help="about how many; default ten million")
    parser.add_argument("--runs", type=int, help="visits of each page (default 5, quick 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "bench" / "data", help="where logs are kept")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "dashboard.json")
    args = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        raise SystemExit("there is no Chromium on this machine; install it (apt-get install chromium)")
    decisions = args.decisions or (QUICK_SIZE if args.quick else rows.FULL_SIZE)
    runs = args.runs or (2 if args.quick else 5)
    report = Report(args.seed)
    log = make_log(decisions, args.data, args.seed)
    forget(log)
    with serving(log) as served, visits.chromium(chromium) as browser:
        print(f"{decisions:,} decisions were read in {served.read_s:.1f} s\n\n{rows.HEAD}", flush=True)
        for name, paths in pages(runs).items():
            seen = visits.visits(browser, [served.address + path for path in paths])
            rows.add_view(report, name, seen, decisions)
            print(rows.line(name, seen), flush=True)
        peak = served.peak_bytes
        read_s = served.read_s
    with serving(log) as served:
        again_s = served.read_s
        ledger_s = ledger_seconds(served.address)
    rows.add_server(report, decisions, read_s, again_s, peak, ledger_s)
    print(f"\nshown again after {again_s:.1f} s; the ledger's book took {ledger_s:.1f} s")
    missed = report.missed()
    print(f"{sum(each['ok'] is True for each in report.results)} bars met, {len(missed)} missed{': ' + '; '.join(missed) if missed else ''}")  # fmt: skip
    report.write("dashboard", args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
