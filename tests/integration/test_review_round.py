"""A whole round of reviews: drawn texts in a store, people at the keyboard, signals that the audit reads."""

import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from review_factory import NOON, pair, sampled, text_of, vote, write_drawn_store, write_texts, write_votes
from undertow.adapters.store.row_log import VOTES, read_rows
from undertow.bootstrap.audit import AuditRequest, read_cells
from undertow.bootstrap.reviewing import open_desk
from undertow.cli.main import main
from undertow.records.review import ReviewRules
from undertow.records.watched import Vote


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, keys="": CliRunner().invoke(main, ["review", *arguments], input=keys)


def signals_of(store: Path) -> list[dict]:
    files = sorted((store / "signals" / "open").glob("*.jsonl*"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_votes_at_the_keyboard_become_signals_that_an_audit_weighs_by_their_draws(run, tmp_path):
    store = tmp_path / "store"
    chosen = write_drawn_store(store)
    done = run("start", "store", "--rater", "ann", keys="y\n" * 10 + "n\n" * (len(chosen) - 10) + "q\n")
    assert done.exit_code == 0, done.output
    assert f"{len(chosen)} judged or skipped" in done.output
    signals = signals_of(store)
    assert sorted(signal["decision_id"] for signal in signals) == sorted(chosen)
    for signal in signals:
        assert (signal["kind"], signal["name"], signal["selection"]) == ("review", "accuracy", "sampled")
        assert signal["inclusion_probability"] == {"tail": 0.5, "common": 0.125}[signal["stratum"]]
        assert signal["source"].startswith("reviewer:")
        assert "ann" not in signal["source"]
    cells = read_cells(AuditRequest((str(store),), format="undertow"))
    labels = cells.labels
    whole = labels.segment == 0
    assert labels.n[whole].sum() == len(chosen)
    assert labels.weight[whole].sum() == sum(1 / signal["inclusion_probability"] for signal in signals)
    assert set(labels.stratum[whole].tolist()) == {0, 1}


def test_reviewers_see_neither_tier_nor_stratum_nor_confidence_nor_id(run, tmp_path):
    chosen = write_drawn_store(tmp_path / "store")
    shown = run("start", "store", "--rater", "ann", keys="y\n" * len(chosen)).output
    assert "question" in shown
    for secret in ("cheap", "capable", "tail", "common", "0.9"):
        assert secret not in shown
    exported = run("export", "store", "--hold-hours", "0").stdout
    for secret in ("cheap", "capable", "tail", "common"):
        assert secret not in exported


def test_side_by_side_in_either_order_gives_the_value_of_what_was_served(run, tmp_path):
    names = [f"d{number}" for number in range(12)]
    now = time.time()
    write_texts(
        tmp_path / "store",
        *(sampled(name, event_time=text_of(now - 60)) for name in names),
        pairs=tuple(pair(name) for name in names),
    )
    orders = set()
    for _ in names:
        with open_desk(tmp_path / "store", ReviewRules()) as (desk, _):
            sheet = desk.next("ann")
            served = [answer.startswith("served") for answer in sheet.answers].index(True)
            orders.add(served)
        # The reviewer always finds the other answer the only good one.
        assert run("next", "store", "--rater", "ann", keys="ab"[1 - served] + "\n").exit_code == 0
    assert orders == {0, 1}
    signals = signals_of(tmp_path / "store")
    assert [(s["value"], s["reference_value"]) for s in signals] == [(0.0, 1.0)] * len(names)


def test_undo_skip_help_and_wrong_keys(run, tmp_path):
    write_texts(tmp_path / "store", *(sampled(f"d{i}", event_time=text_of(time.time() - 60)) for i in range(3)))
    done = run("start", "store", "--rater", "ann", keys="y\nu\nn\n9\n?\ns\nnot in my language\ns\n\ny\nu\nu\nu\nu\nq\n")
    assert done.exit_code == 0, done.output
    assert "taken back" in done.output
    assert "there is nothing to take back" in done.output
    assert "no such key" in done.output
    assert "known to be wrong" in done.output
    votes = read_rows(tmp_path / "store", VOTES, Vote).rows
    assert [v.skipped for v in votes if v.skipped] == ["not in my language"]
    # y, then taken back; n, then taken back again at the end; the skip and the last y too.
    assert sum(v.retracts is not None for v in votes) == 4
    assert signals_of(tmp_path / "store") == []


def test_two_raters_a_conflict_and_a_third_who_decides(run, tmp_path):
    (tmp_path / "undertow.toml").write_text("[review]\nraters = 2\n")
    write_texts(tmp_path / "store", sampled("d", event_time=text_of(time.time() - 60)))
    run("start", "store", "--rater", "ann", keys="y\n")
    assert "Nothing waits for you" in run("start", "store", "--rater", "ann").output
    run("start", "store", "--rater", "bob", keys="n\n")
    assert signals_of(tmp_path / "store") == []
    status = json.loads(run("status", "store", "--json").stdout)
    assert status["schema"] == "undertow.review/1"
    assert (status["queue"]["conflicts"], status["had_conflicts"]) == (1, 1)
    run("start", "store", "--rater", "cid", keys="n\n")
    run("start", "store", "--rater", "bob")
    with open_desk(tmp_path / "store", ReviewRules(raters=2), clock=lambda: time.time() + 700) as (desk, _):
        desk.publish()
    (signal,) = signals_of(tmp_path / "store")
    assert (signal["value"], signal["source"]) == (0.0, "reviewers:3")


def test_two_reviewers_at_once_never_get_the_same_item(tmp_path):
    now = time.time()
    write_texts(tmp_path / "store", *(sampled(f"d{i}", event_time=text_of(now - 60)) for i in range(6)))
    rules = ReviewRules()
    with open_desk(tmp_path / "store", rules) as (one, _), open_desk(tmp_path / "store", rules) as (two, _):
        taken = []
        for _ in range(3):
            a, b = one.next("ann"), two.next("bob")
            taken += [a.item, b.item]
            one.vote("ann", a.item, "y")
            two.vote("bob", b.item, "n")
        assert len(set(taken)) == 6
        assert one.next("ann") is None


def test_what_was_shown_comes_again_until_it_is_judged(tmp_path):
    write_texts(tmp_path / "store", *(sampled(f"d{i}", event_time=text_of(time.time() - 60)) for i in range(6)))
    with open_desk(tmp_path / "store", ReviewRules()) as (desk, _):
        shown = desk.next("ann")
        assert desk.next("ann") == shown
    with open_desk(tmp_path / "store", ReviewRules()) as (desk, _):
        assert desk.next("ann") == shown
        assert desk.next("bob") != shown


def test_seeded_failures_measure_a_reviewer_and_never_become_signals(run, tmp_path):
    store = tmp_path / "store"
    chosen = write_drawn_store(store, days=2, per_day=100)
    lines = [{"prompt": f"seed {i}", "answer": "wrong", "value": 0} for i in range(6)]
    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "6 new cases" in run("seed", "store", "seeds.jsonl").stdout
    assert "0 new cases" in run("seed", "store", "seeds.jsonl").stdout
    done = run("start", "store", "--rater", "ann", keys="y\n" * 200)
    assert "seed " in done.output
    assert len(signals_of(store)) == len(chosen)
    (ann,) = json.loads(run("status", "store", "--json").stdout)["raters"]
    assert ann["seen"]["of"] >= 4
    assert (ann["seen"]["count"], ann["votes"]) == (0, len(chosen))
    assert ann["seen"]["high"] < 0.7


def test_a_terminal_is_driven_key_by_key_and_ctrl_c_loses_nothing(tmp_path):
    store = tmp_path / "store"
    write_texts(
        store, *(sampled(f"d{i}", event_time=text_of(time.time() - 60), answer="a\x1b[2Jb\u202ec") for i in range(5))
    )
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "undertow.cli.main", "review", "start", str(store), "--rater", "ann"],
        stdin=child,
        stdout=child,
        stderr=child,
        cwd=tmp_path,
    )
    os.close(child)
    shown = b""

    def read_until(text: bytes, times: int) -> None:
        nonlocal shown
        end = time.monotonic() + 60
        while shown.count(text) < times and time.monotonic() < end:
            if not select.select([parent], [], [], 1.0)[0]:
                continue
            try:
                shown += os.read(parent, 65_536)
            except OSError:  # the terminal's other end is closed
                return

    def press(key: bytes) -> None:
        """What is typed before the terminal takes single keys is thrown away."""
        end = time.monotonic() + 30
        while termios.tcgetattr(parent)[3] & termios.ICANON and time.monotonic() < end:
            time.sleep(0.01)
        os.write(parent, key)

    for times, key in ((1, b"y"), (2, b"n"), (3, b"\x03")):
        read_until(b"> ", times)
        press(key)
    read_until(b"all of it is kept", 1)
    assert process.wait(30) in {0, 130}
    os.close(parent)
    assert b"\x1b[2J" not in shown
    assert "\u202e".encode() not in shown
    assert [v.value for v in read_rows(store, VOTES, Vote).rows] == [1.0, 0.0]
    assert len(signals_of(store)) == 2


def test_bad_reviewers_and_bad_clocks_show_in_the_status(run, tmp_path):
    """One who clicks 1 always, one who contradicts himself, duplicates, and clocks that are wrong."""
    store = tmp_path / "store"
    chosen = write_drawn_store(store, days=2, per_day=80)
    now = time.time()
    votes = [
        vote(name, "ann", float(place % 10 > 0), at=text_of(now - 50), seconds=30.0)
        for place, name in enumerate(chosen)
    ]
    votes += [vote(name, "one", 0.0, at=text_of(now - 40), seconds=0.4) for name in chosen[:40]]
    for name in chosen[:6]:
        votes += [vote(name, "bob", 1.0, at=text_of(now - 30)), vote(name, "bob", 0.0, at=text_of(now - 20))]
    votes += [vote(chosen[7], "bob", 1.0, at=text_of(now - 30)), vote(chosen[7], "bob", 1.0, at=text_of(now - 20))]
    votes += [vote(chosen[8], "fay", at=text_of(now + 86_400)), vote(chosen[9], "fay", at=text_of(now - 86_400 * 30))]
    votes += [vote(chosen[10], "fay", 7.0, at=text_of(now - 20)), votes[0]]
    write_votes(store, *votes)
    shown = run("status", "store")
    assert shown.exit_code == 0, shown.output
    assert "one gives one and the same answer always" in shown.output
    assert "one votes sooner than the text can be read" in shown.output
    assert "one is stricter than the others" in shown.output
    assert "bob judges the same differently the second time" in shown.output
    assert "6 of 7" in shown.output
    assert (
        "votes dated in the future (a clock is wrong), whose signals are dated when they are written: 1" in shown.output
    )
    assert "votes dated before the request that they judge" in shown.output
    assert "votes left out because they lie outside [0, 1]: 1" in shown.output
    assert "votes with the id of another one, which count once: 1" in shown.output
    assert "votes that repeat what the same reviewer said before, and count once: 1" in shown.output
    assert "raters agree little" in shown.output
    document = json.loads(run("status", "store", "--json").stdout)
    flags = {rater["rater"]: set(rater["flags"]) for rater in document["raters"]}
    assert flags["ann"] == {"lenient"}
    assert flags["one"] >= {"one_value", "hasty", "strict"}
    assert flags["bob"] >= {"contradicts_himself"}


def test_labels_dated_by_a_wrong_clock_become_signals_of_the_time_at_which_they_were_seen(tmp_path):
    write_texts(tmp_path / "store", sampled("late"), sampled("early"))
    write_votes(tmp_path / "store", vote("late", at=text_of(NOON + 86_400)), vote("early", at=text_of(NOON - 86_400)))
    with open_desk(tmp_path / "store", ReviewRules(), clock=lambda: NOON + 60) as (desk, _):
        assert desk.publish() == 2
    assert {signal["event_time"] for signal in signals_of(tmp_path / "store")} == {text_of(NOON + 60)}


def test_a_segment_below_its_minimum_shows(run, tmp_path):
    now = time.time()
    rows = [sampled(f"d{i}", event_time=text_of(now - 60)) for i in range(5)]
    rows += [sampled("rare", event_time=text_of(now - 60), segment={"intent": "fraud"})]
    write_texts(tmp_path / "store", *rows)
    write_votes(tmp_path / "store", *(vote(f"d{i}", at=text_of(now - 30)) for i in range(5)))
    status = json.loads(run("status", "store", "--json").stdout)
    short = {
        (cell["tier"], cell["label"]): (cell["done"], cell["needed"]) for cell in status["cells"] if cell["is_short"]
    }
    assert short == {("cheap", "intent=fraud"): (0, 2)}
    assert "too few" in run("status", "store").stdout


def test_an_export_is_held_and_its_labels_come_back_once(run, tmp_path):
    store = tmp_path / "store"
    chosen = write_drawn_store(store, days=1, per_day=40)
    for format_ in ("jsonl", "csv"):
        out = run("export", "store", "--format", format_, "--limit", "8", "--out", f"out.{format_}", "--name", format_)
        assert out.exit_code == 0, out.output
        assert "exported 8 items" in out.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    held = {row["item"] for row in rows}
    with open_desk(store, ReviewRules()) as (desk, _):
        for _ in range(len(chosen) - 16):
            sheet = desk.next("ann")
            assert sheet.item not in held
            desk.vote("ann", sheet.item, "y")
        assert desk.next("ann") is None
    labels = [row | {"rater": "bob", "verdict": "n"} for row in rows]
    labels[1]["verdict"] = "maybe"
    labels.append(labels[0] | {"verdict": "y"})
    labels.append(labels[2])
    labels.append({"item": "no such item", "rater": "bob", "verdict": "y"})
    labels.append(labels[3] | {"rater": None, "item": labels[3]["item"]})
    (tmp_path / "back.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labels))
    first = json.loads(run("import", "store", "back.jsonl", "--json").stdout)
    assert (first["read"], first["kept"]) == (12, 6)
    assert first["set_aside"] == {"conflicting": 2, "no_rater": 1, "out_of_range": 1, "repeated": 1, "unknown_item": 1}
    again = json.loads(run("import", "store", "back.jsonl", "--json").stdout)
    assert (again["kept"], again["signals"]) == (0, 0)
    shown = run("status", "store").output
    assert "imported labels that contradict another one of the same reviewer" in shown
    assert "bob contradicts himself in imports" in shown


def test_a_day_is_drawn_from_a_log_with_text_and_reviewed(run, tmp_path):
    store = tmp_path / "store"
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    lines = [
        {
            "decision_id": f"d{number}",
            "event_time": f"{yesterday}T{number // 20:02}:{number % 20:02}:00Z",
            "tier": "capable" if number % 3 == 0 else "cheap",
            "segment": {"intent": "fraud" if number % 40 == 1 else "billing"},
            "confidence": (number % 100) / 100,
            "prompt": json.dumps([{"role": "user", "content": f"where is {number}?"}]),
            "response": "there",
        }
        for number in range(400)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    dry = run("draw", "store", "--log", "log.jsonl", "--per-day", "40", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "nothing was written" in dry.output
    assert not store.exists()
    done = run("draw", "store", "--log", "log.jsonl", "--per-day", "40", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["drawn"], document["decisions"], document["segment_key"]) == (40, 400, "intent")
    assert document["written"]["texts"] == 40
    assert sum(cell["drawn"] for cell in document["cells"]) == 40
    fraud = [c for c in document["cells"] if c["segment"] == "intent=fraud" and c["tier"] == "cheap"]
    assert sum(cell["drawn"] for cell in fraud) >= 2
    again = run("draw", "store", "--log", "log.jsonl", "--per-day", "40")
    assert again.exit_code == 2
    assert "was drawn for review already" in str(again.output)
    shown = run("start", "store", "--rater", "ann", keys="y\n" * 40)
    assert "user: where is" in shown.output
    signals = signals_of(store)
    assert len(signals) == 40
    by_cell = {(c["tier"], c["segment"], c["stratum"]): c["drawn"] / c["size"] for c in document["cells"]}
    assert {round(s["inclusion_probability"], 12) for s in signals} == {round(p, 12) for p in by_cell.values()}
    # Each decision counted once by its weight: together they stand for the whole day.
    assert sum(1 / s["inclusion_probability"] for s in signals) == pytest.approx(400)
